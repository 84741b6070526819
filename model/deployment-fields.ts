import { z } from 'zod';
import { deploymentSchema } from './deployment.js';

/** The parts of JSON Schema that zod's output for the deployment file uses. */
export interface FieldSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, FieldSchema>;
  required?: string[];
  items?: FieldSchema;
  oneOf?: FieldSchema[];
  additionalProperties?: FieldSchema | boolean;
}

/** The JSON schema of a deployment file as a person writes it. */
export const deploymentFileSchema = (): FieldSchema =>
  z.toJSONSchema(deploymentSchema, { io: 'input', reused: 'inline' }) as FieldSchema;

export interface Field {
  /** `policy.gates.maxLag`; `[]` marks the items of a list, `<key>` those of a map. */
  path: string;
  schema: FieldSchema;
  required: boolean;
}

/** Every field of a schema, in the order of the file. */
export function fieldsOf(schema: FieldSchema, path = ''): Field[] {
  const children = (it: FieldSchema): Field[] => {
    const required = it.required ?? [];
    return Object.entries(it.properties ?? {}).flatMap(([name, child]) => {
      const at = path === '' ? name : `${path}.${name}`;
      return [{ path: at, schema: child, required: required.includes(name) }, ...fieldsOf(child, at)];
    });
  };
  return [
    ...children(schema),
    ...(schema.oneOf ?? []).flatMap(children),
    ...(schema.items ? fieldsOf(schema.items, `${path}[]`) : []),
    ...(typeof schema.additionalProperties === 'object' ? fieldsOf(schema.additionalProperties, `${path}.<key>`) : []),
  ];
}

/** Names that may stand in the object at `path`. */
export function fieldNames(path: readonly (string | number)[]): string[] {
  let alternatives: FieldSchema[] = [deploymentFileSchema()];
  for (const step of path)
    alternatives = alternatives.flatMap((schema) => {
      const next = [schema, ...(schema.oneOf ?? [])].flatMap((it) =>
        typeof step === 'number' ? (it.items ?? []) : (it.properties?.[step] ?? []),
      );
      const other = schema.additionalProperties;
      return next.length === 0 && typeof other === 'object' ? [other] : next;
    });
  return alternatives.flatMap((it) => [it, ...(it.oneOf ?? [])]).flatMap((it) => Object.keys(it.properties ?? {}));
}
