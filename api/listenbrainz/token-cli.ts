/** `npm run token -- create USER | list | revoke USER`: the tokens by which scrobblers feed the pipeline. */
import { join, resolve } from 'node:path';
import { idProblem } from '../../contracts/acceptance/text.ts';
import { TokenFile } from './tokens.ts';

const usage = `npm run token -- create USER   make a token for a listener and print it, once
npm run token -- list          whose tokens there are, and since when
npm run token -- revoke USER   end all tokens of a listener`;

const secretsDir = process.env['SEGUE_SECRETS_DIR'] || 'secrets';
const path = resolve(process.env['SEGUE_API_LISTENER_TOKENS'] || join(secretsDir, 'listener_tokens.json'));
const file = new TokenFile(path);
const [command, user, ...more] = process.argv.slice(2);

try {
  process.exitCode = await run();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

async function run(): Promise<number> {
  if (command === 'list' && user === undefined) {
    for (const token of await file.list()) console.log(`${token.created_at}  ${token.user}`);
    return 0;
  }
  const isUser = user !== undefined && user.trim() === user && idProblem(user) === undefined;
  if (command === 'create' && isUser && more.length === 0) {
    console.log(await file.create(user, new Date()));
    return 0;
  }
  if (command === 'revoke' && isUser && more.length === 0) {
    const revoked = await file.revoke(user);
    console.log(revoked === 0 ? `${user} has no token` : `${revoked} revoked`);
    return revoked === 0 ? 1 : 0;
  }
  console.error(usage);
  return 2;
}
