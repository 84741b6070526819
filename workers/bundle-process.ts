import { bundleWorkflows } from './bundle.js';

// Bundles for the worker that started it, and ends.
process.send?.(await bundleWorkflows(), () => process.exit(0));
