export { carryOver } from './configuration/carry-over.js';
export { compareConfiguration } from './configuration/compare.js';
export { directivesOf, recordedReleases } from './configuration/directives.js';
export { namesOf } from './configuration/names.js';
