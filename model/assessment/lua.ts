/** Strings, and comments in their two forms. */
const token = /(--\[(=*)\[[\s\S]*?\]\2\]|--[^\n]*)|("(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')/g;

const withoutComments = (text: string): string =>
  text.replace(token, (all: string, comment: string | undefined) => (comment === undefined ? all : ' '));

const withoutStrings = (text: string): string => withoutComments(text).replace(token, '""');

/** Commands that a script names itself, in lower case, with their subcommands; one that it puts together is not seen. */
export function commandsIn(script: string): string[] {
  const calls = /\b(?:(?:redis|server)\s*\.\s*)?p?call\s*\(\s*(["'])([\w.-]+)\1(?:\s*,\s*(["'])([\w-]+)\3)?/g;
  const found = new Set<string>();
  for (const [, , name = '', , below] of withoutComments(script).matchAll(calls)) {
    const command = name.toLowerCase();
    found.add(below !== undefined && containers.has(command) ? `${command}|${below.toLowerCase()}` : command);
  }
  return [...found];
}

const containers = new Set(
  'acl client cluster command config function latency memory module object pubsub script slowlog xgroup xinfo'.split(
    ' ',
  ),
);

/** Which of these globals a script uses: names of its own are not meant, nor fields and methods. */
export function globalsIn(script: string, names: readonly string[]): string[] {
  const code = withoutStrings(script);
  return names.filter((name) => {
    const used = new RegExp(`(?<![\\w.:])${name}(?!\\w)(?!\\s*=[^=])`);
    const own = new RegExp(`\\b(?:local\\s+(?:function\\s+)?|function\\s+)(?:[\\w\\s,]*\\b)?${name}\\b`);
    return used.test(code) && !own.test(code);
  });
}
