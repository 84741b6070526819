/** The arrows of the house point one way: scripts → workers → activities → {redis, platforms, integrations} → {model, launch}. */
const layer = (name, from, to, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: to },
});
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    layer(
      'model-is-pure',
      '^model/',
      '^(launch|workflows|activities|redis|platforms|integrations|workers|scripts|test)/',
      'model/ imports nothing of ours',
    ),
    { name: 'model-does-no-io', severity: 'error', from: { path: '^model/' }, to: { dependencyTypes: ['core'] } },
    layer(
      'launch-is-below-all',
      '^launch/',
      '^(model|workflows|activities|redis|platforms|integrations|workers|scripts|test)/',
      'launch/ starts what it knows nothing of',
    ),
    layer(
      'redis-knows-no-platform',
      '^redis/',
      '^(workflows|activities|platforms|integrations|workers|scripts|test)/',
      'redis/ imports only model/, and launch/ for its process',
    ),
    layer(
      'platforms-know-no-redis',
      '^platforms/',
      '^(workflows|activities|redis|integrations|workers|scripts|test)/',
      'platforms/ import only model/',
    ),
    layer(
      'integrations-import-model',
      '^integrations/',
      '^(workflows|activities|redis|platforms|workers|scripts|test)/',
      'integrations/ import only model/',
    ),
    layer(
      'activities-below-workers',
      '^activities/',
      '^(workflows|workers|scripts|test)/',
      'activities/ do not reach up',
    ),
    {
      name: 'workflows-import-model',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^(launch|redis|platforms|integrations|workers|scripts|test)/' },
    },
    {
      name: 'workflows-see-activity-types-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
    },
    layer('workers-below-scripts', '^workers/', '^(scripts|test)/', 'workers/ do not reach up'),
    layer(
      'nothing-imports-tests',
      '^(launch|model|redis|platforms|integrations|activities|workflows|workers|scripts)/',
      '^test/',
      'tests are nobody’s dependency',
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
