interface TextObject {
  type?: string;
  text?: string;
}
interface AnyBlock {
  type: string;
  text?: TextObject;
  fields?: TextObject[];
  elements?: (TextObject & {
    action_id?: string;
    value?: string;
    confirm?: { title?: TextObject; text?: TextObject; confirm?: TextObject; deny?: TextObject };
  })[];
  label?: TextObject;
  element?: { type: string; action_id?: string; max_length?: number };
}

/**
 * What Slack would not take of blocks, by its documentation: https://docs.slack.dev/reference/block-kit/blocks and
 * https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
 */
export function blockProblem(blocks: readonly object[]): string | undefined {
  if (blocks.length > 50) return `${blocks.length} blocks, 50 are taken`;
  return (blocks as readonly AnyBlock[]).map(problemOf).find((it) => it !== undefined);
}

function problemOf(block: AnyBlock): string | undefined {
  const { type, text, fields, elements = [], label, element } = block;
  switch (type) {
    case 'header':
      return tooLong(text, 150, 'plain_text');
    case 'section':
      if (!text && !fields) return 'a section needs text or fields';
      if (fields && (fields.length === 0 || fields.length > 10)) return `${fields.length} fields, 1 to 10 are taken`;
      return (text && tooLong(text, 3000)) ?? fields?.map((it) => tooLong(it, 2000)).find(Boolean);
    case 'context':
      if (elements.length === 0 || elements.length > 10) return 'a context takes 1 to 10 elements';
      return elements.map((it) => tooLong(it, 3000)).find(Boolean);
    case 'input':
      if (element?.type !== 'plain_text_input' || (element.max_length ?? 0) > 3000) return 'no such input';
      return tooLong(label, 2000, 'plain_text');
    case 'actions':
      return elements
        .flatMap((it) => [
          tooLong(it.text as unknown as TextObject, 75, 'plain_text'),
          (it.value?.length ?? 0) > 2000 ? 'a value is too long' : undefined,
          it.confirm && tooLong(it.confirm.title, 100, 'plain_text'),
          it.confirm && tooLong(it.confirm.text, 300),
          it.confirm && tooLong(it.confirm.confirm, 30, 'plain_text'),
          it.confirm && tooLong(it.confirm.deny, 30, 'plain_text'),
        ])
        .find((it) => it !== undefined);
    default:
      return `no block ${type} here`;
  }
}

function tooLong(text: TextObject | undefined, most: number, type?: string): string | undefined {
  if (!text?.text) return 'a text is empty';
  if (type !== undefined && text.type !== type) return `expected ${type}, found ${text.type ?? 'nothing'}`;
  return text.text.length > most
    ? `${text.text.length} letters, ${most} are taken: ${text.text.slice(0, 40)}`
    : undefined;
}
