// Loaded by `node --import` before a program: writes the URL of every module that it loads to a file.
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const path = process.env['LOADED_MODULES'];
if (path !== undefined) {
  registerHooks({
    load: (url, context, next) => {
      appendFileSync(path, `${url}\n`);
      return next(url, context);
    },
  });
}
