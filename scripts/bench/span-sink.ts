// A collector that takes every span and keeps none.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => response.writeHead(200).end());
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'));
