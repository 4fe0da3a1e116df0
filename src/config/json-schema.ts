import * as z from 'zod';
import { PolicyFile } from './schema.ts';

/** A JSON Schema, or a part of one. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

const PLACEHOLDER = '\\$\\{';

/** The JSON Schema (draft 2020-12) of the policy file, as editors want it. */
export function writeJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(PolicyFile, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => admitPlaceholders(jsonSchema),
  });
  return {
    ...schema,
    title: 'Postern policy',
    description: 'One policy file of Postern, or one of a directory of them.',
    patternProperties: { '^x-': { description: 'Ignored: a place for anchors.' } },
  };
}

/** A text may be a placeholder, whose value an editor cannot know. */
function admitPlaceholders(schema: JsonSchema): void {
  if (schema.pattern !== undefined) schema.pattern = `(?:${schema.pattern})|${PLACEHOLDER}`;
  const { enum: values } = schema;
  if (schema.type !== 'string' || values === undefined) return;
  schema.anyOf = [{ enum: values }, { pattern: PLACEHOLDER }];
  delete schema.enum;
}
