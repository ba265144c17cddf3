// Packages of npm: tests/run.sh installs them into build/scenario, so that the tree stays clean.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../build/scenario/package.json', import.meta.url));

export const { LLMock } = require('@copilotkit/aimock');
