export { carryOver, type CarryOver, type CarryOverInput } from './configuration/carry-over.js';
export { compareConfiguration, type CompareInput } from './configuration/compare.js';
export { directivesOf, isKnownAnywhere, recordedReleases } from './configuration/directives.js';
export { nameIn, namesOf, oneName } from './configuration/names.js';
export { isSecret, redact, redactAcl, redacted, redactLog } from './configuration/redact.js';
export { formatDirective, parseConfiguration, splitArguments } from './configuration/syntax.js';
