import { bundleWorkflows } from './bundle.js';

// Bundles for the worker that started it, and ends.
const workflowInterceptorModules = process.argv.slice(2);
const bundle = await bundleWorkflows((options) => ({ ...options, workflowInterceptorModules }));
process.send?.(bundle, () => process.exit(0));
