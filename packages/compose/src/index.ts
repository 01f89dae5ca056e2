export type { Note } from './draft.js';
export { type ComposeSource, type Imported, type ImportedEndpoint, importCompose } from './project.js';
export { readVariables, VARIABLES_SIZE_MAX } from './variables-file.js';
export { COMPOSE_SIZE_MAX } from './yaml-text.js';
