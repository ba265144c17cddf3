// Packages of npm: tests/run.sh installs them into build/scenario, so that the tree stays clean.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../build/scenario/package.json', import.meta.url));

export const { LLMock } = require('@copilotkit/aimock');
export const { OpenAI } = require('openai');
export const { Anthropic } = require('@anthropic-ai/sdk');
// A mail server; loaded when it is asked for.
export const loadSmtpServer = () => require('smtp-server');
export const { GoogleGenAI } = require('@google/genai');

// An OAuth 2 and OpenID Connect server; it is loaded when it is asked for, since it is large.
export const loadProvider = async () => (await import(require.resolve('oidc-provider'))).default;

// A client of the Model Context Protocol.
export const loadMcp = async () => await import(require.resolve('@modelcontextprotocol/client'));
