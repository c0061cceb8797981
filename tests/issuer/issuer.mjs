// A real OpenID provider on 127.0.0.1, for tests: node issuer.mjs HOME PORT
// HOME holds node_modules. POST /control sets its state: {keys, alg, people, lying, logout}; then it serves, with the new
// keys from the next request on. Whoever names somebody as login_hint is logged in as them, without a password; and
// POST /logout/SUBJECT tells the address state.logout that somebody logged out.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const [home, port] = process.argv.slice(2);
const { default: Provider } = createRequire(`${home}/package.json`)('oidc-provider');
const url = `http://127.0.0.1:${port}`;
let state;
let provider;

const about = (sub) => state.people[sub] ?? {};

function made() {
  const resource = { scope: 'calls', accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: state.alg } } };
  const common = { id_token_signed_response_alg: state.alg };
  return new Provider(url, {
    jwks: { keys: state.keys },
    clients: [
      { ...common, client_id: 'machine', client_secret: 'machine-secret', grant_types: ['client_credentials'],
        redirect_uris: [], response_types: [] },
      { ...common, client_id: 'console', token_endpoint_auth_method: 'none', application_type: 'native',
        ...(state.logout ? { backchannel_logout_uri: state.logout } : {}),
        redirect_uris: ['http://127.0.0.1/callback'], grant_types: ['authorization_code'], response_types: ['code'] },
    ],
    claims: { openid: ['sub', 'name', 'groups', 'cti_ids', 'email'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['only-a-test'] },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, audience) => ({ ...resource, audience }),
        useGrantedResource: () => true,
      },
    },
    // Without its guard against private addresses: everything here is on 127.0.0.1.
    fetch: (where, { dispatcher, ...options }) => fetch(where, options),
    ttl: { AccessToken: 300, ClientCredentials: 300, IdToken: 300, Session: 300, Interaction: 300, Grant: 300 },
    extraTokenClaims: (ctx, token) => about(token.accountId ?? token.clientId),
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...about(sub) }) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  });
}

async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: params.login_hint } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid');
  if (params.resource) grant.addResourceScope(params.resource, 'calls');
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

async function control(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  state = JSON.parse(Buffer.concat(parts));
  provider = made();
  response.writeHead(204).end();
}

async function logOut(subject, response) {
  const client = await provider.Client.find('console');
  await client.backchannelLogout(subject, 'no-session');
  response.writeHead(204).end();
}

function lie(response) {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ issuer: 'https://id.example', jwks_uri: `${url}/jwks` }));
}

createServer((request, response) => {
  const failed = (error) => { console.error(error); response.writeHead(500).end(); };
  if (request.url === '/control') return control(request, response).catch(failed);
  if (!provider) return response.writeHead(503).end();
  if (request.url.startsWith('/logout/')) return logOut(request.url.slice(8), response).catch(failed);
  if (request.url.startsWith('/interaction/')) return interact(request, response).catch(failed);
  if (state.lying && request.url.startsWith('/.well-known/')) return lie(response);
  return provider.callback()(request, response);
}).listen(Number(port), '127.0.0.1');
