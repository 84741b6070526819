import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Option, type Command } from 'commander';
import type { AssessmentDocument } from '../../../model/assessment/document.js';
import { renderMarkdown, renderPage } from '../../../model/assessment/render.js';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { assessmentWorkflowId } from '../../../model/names.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { note, painter, print, printJson, widthOf } from '../terminal.js';
import { assessmentView } from '../views/assessment-view.js';

interface Options {
  to: string;
  via: string[];
  over?: string;
  monitor?: string;
  sample?: string;
  scripts?: string;
  library: Record<string, string>;
  price?: string;
  html?: string;
  markdown?: string;
  wait: boolean;
  as?: string;
  json?: true;
}

export function assessCommand(): Command {
  return command('assess', {
    summary: 'what stands in the way of an upgrade, as a document; changes nothing',
    description:
      'Reads the live deployment and asks a real server of the target that is started for it and thrown away: commands in use, ' +
      'scripts, settings, users, modules, clients, keys. What is found is a blocker, an action or a note, and says which of your own ' +
      'it concerns; what could not be seen is listed. The document has the plan, what it takes, the way back, who uses the ' +
      'deployment, and where its capacity goes. The worker does it. Exit code 2 when something blocks the upgrade.',
    examples: [
      ['rollout assess orders --to 8.0', 'as it stands'],
      ['rollout assess orders --to 8.0 --over 24h --html orders.html', 'observed for a day; for a change request'],
      ['rollout assess orders --to 8.0 --scripts lua/ --library checkout=go-redis@8.11.4', 'with what no server tells'],
      ['rollout assess orders --to 7.2 --via 7.0 --json | jq .findings', 'in two hops, for scripts'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .requiredOption('--to <release>', 'release to go to: 8.0, 7.2.4, valkey-9.1')
    .addOption(shared.via())
    .option('--over <duration>', 'observe its use for so long, with up to 60 looks: 24h sees what runs once a day')
    .option('--monitor <duration>', 'listen to MONITOR of every primary: who uses which keys; it slows servers down')
    .option('--sample <keys>', 'keys of each shard that are looked at (10000)')
    .option('--scripts <folder>', 'Lua scripts of your applications (*.lua, folders within it too)')
    .addOption(
      new Option('--library <application=library@version>', 'of clients that don’t tell; may be given several times')
        .default({}, 'none')
        .argParser(library),
    )
    .option('--price <amount-currency>', 'of one GiB of memory for an hour: "0.012 EUR"')
    .option('--html <file>', 'write the document as a page')
    .option('--markdown <file>', 'write the document as Markdown')
    .option('--no-wait', 'leave once it is started')
    .addOption(shared.as())
    .action(assess);
}

function library(text: string, before: Record<string, string>): Record<string, string> {
  const [application, it] = text.split('=');
  if (!application || !it)
    throw new Complaint(
      'usage',
      `--library: expected an application and its library, checkout=go-redis@8.11.4, found ${text}`,
    );
  return { ...before, [application]: it };
}

async function assess(deployment: string, options: Options): Promise<void> {
  const raw = await inputOf(deployment, options);
  const input = workflowSchemas.assess.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `nothing can be assessed:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = assessmentWorkflowId(deployment);
    const what = `an assessment of ${deployment}`;
    const started = await startShort(temporal, { type: 'assess', workflowId, input: input.data, what });
    if (!options.wait) {
      if (options.json) printJson({ ...started, input: input.data });
      else
        print(
          `Started ${workflowId}. Its document is its result: temporal workflow result --workflow-id ${workflowId}`,
        );
      return;
    }
    await show(await resultOf<AssessmentDocument>(temporal, started), options);
  });
}

async function inputOf(deployment: string, options: Options): Promise<object> {
  const { to, via, over, monitor, sample, scripts, library, price, as } = options;
  const [, amount, currency] = /^\s*([\d.]+)\s*(\S+)\s*$/.exec(price ?? '') ?? [];
  if (price !== undefined && currency === undefined)
    throw new Complaint('usage', `--price: expected an amount and a currency, "0.012 EUR", found ${price}`);
  return {
    ...{ deployment, to, via, libraries: library, startedBy: identity(as) },
    ...(over === undefined ? {} : { over }),
    ...(monitor === undefined ? {} : { monitor }),
    ...(sample === undefined ? {} : { sample: Number(sample) }),
    ...(scripts === undefined ? {} : { scripts: await readScripts(scripts) }),
    ...(price === undefined ? {} : { price: { amount: Number(amount), currency } }),
  };
}

/** By their paths within the folder. */
async function readScripts(folder: string): Promise<Record<string, string>> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw new Complaint('usage', `--scripts: expected a folder, found ${folder}`);
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((it) => it.isFile() && it.name.endsWith('.lua'))
    .map((it) => join(it.parentPath, it.name));
  if (files.length === 0) throw new Complaint('usage', `--scripts: there is no *.lua in ${folder}`);
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return Object.fromEntries(files.map((file, i) => [relative(folder, file), texts[i] ?? '']));
}

async function show(document: AssessmentDocument, { html, markdown, json }: Options): Promise<void> {
  if (html !== undefined) await writeFile(html, renderPage(document).text);
  if (markdown !== undefined) await writeFile(markdown, renderMarkdown(document));
  for (const file of [html, markdown]) if (file !== undefined) note(`Written: ${file}`);
  if (json) printJson(document);
  else print(assessmentView(document, { paint: painter(process.stdout), width: widthOf(process.stdout) }));
  const blockers = document.findings.filter(({ severity }) => severity === 'blocker');
  if (blockers.length > 0)
    throw new Complaint(
      'usage',
      `${blockers.length} ${blockers.length === 1 ? 'finding blocks' : 'findings block'} the upgrade of ${document.deployment} to ${document.to}`,
      blockers.map(({ subject, next }) => `${subject}: ${next}`),
    );
}
