#!/usr/bin/env node
// The `rollout` command of package.json's bin: works from any folder, and installs the dependencies when they are missing.
import { launch } from './bootstrap.mjs';

await launch('scripts/rollout.ts', process.argv.slice(2));
