// Loaded into NNI's manager (`NODE_OPTIONS=--require`). NNI answers whoever reaches its port, and who can add a trial runs
// code. With this every request and every WebSocket needs
// - a Host and, where a browser names one, an Origin that are this manager's own: no page from elsewhere gets through,
//   not by DNS rebinding either;
// - the token that the launcher made, as the password of HTTP's Basic scheme. Not a cookie: browsers send the cookies of
//   a host to all its ports, and so to the servers of other users of the machine.
// `NAS_CTX_GUARD=off` turns it off.
'use strict';
const childProcess = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const Module = require('module');

const HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;
const NETRON = /(^|\/)netron(\/|$)/i; // NNI passes such requests on to a host outside
const TOKEN = /^machine 127\.0\.0\.1 login nas-ctx password (\S+)$/m;

const isEqual = (one, other) => {
    const digest = (text) => crypto.createHash('sha256').update(text).digest();
    return crypto.timingSafeEqual(digest(one), digest(other)); // takes as long wherever they differ
};

function passwordOf(request) {
    const [scheme, encoded = ''] = (request.headers.authorization || '').split(' ');
    const decoded = Buffer.from(encoded, 'base64').toString();
    return scheme.toLowerCase() === 'basic' ? decoded.slice(decoded.indexOf(':') + 1) : '';
}

function guard(token) {
    // The dispatcher and the keepers of trials on other machines get a key that opens their own channel and no more.
    const keyOf = (path) => crypto.createHmac('sha256', token).update(path.replace(/\/+$/, '')).digest('hex');
    const withKey = (url) => url.replace(/^ws:\/\/(?!.*@)/, `ws://channel:${keyOf(new URL(url).pathname)}@`);

    function refusal(event, request) {
        const { host = '', origin } = request.headers;
        const path = request.url.split('?')[0];
        if (!HOST.test(host)) {
            return [403, 'the Host is not this machine'];
        }
        if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
            return [403, 'the request comes from another page'];
        }
        if (NETRON.test(path)) {
            return [403, 'nothing is passed on to other hosts'];
        }
        const password = passwordOf(request);
        if (isEqual(password, token) || (event === 'upgrade' && isEqual(password, keyOf(path)))) {
            return null;
        }
        return [401, "the token of the launcher's state folder is missing"];
    }

    const emit = http.Server.prototype.emit;
    http.Server.prototype.emit = function (event, request, answer, ...rest) {
        if (!['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect'].includes(event)) {
            return emit.call(this, event, request, answer, ...rest);
        }
        const refused = refusal(event, request);
        if (refused) {
            const [status, reason] = refused;
            refuse(answer, status, `nas-ctx: ${reason}\n`);
            return true;
        }
        delete request.headers.authorization;
        if (answer instanceof http.ServerResponse) {
            answer.setHeader('Content-Security-Policy', "frame-ancestors 'none'");
            if (request.url === '/' && request.method === 'GET') {
                // The page at an address without the token, which a browser has remembered by now.
                answer.writeHead(302, { Location: `http://${request.headers.host}/oview` }).end();
                return true;
            }
        }
        return emit.call(this, event, request, answer, ...rest);
    };

    const spawn = childProcess.spawn;
    childProcess.spawn = function (command, ...rest) {
        const options = rest[rest.length - 1];
        const channel = options && options.env && options.env.NNI_TUNER_COMMAND_CHANNEL;
        if (channel) {
            rest[rest.length - 1] = { ...options, env: { ...options.env, NNI_TUNER_COMMAND_CHANNEL: withKey(channel) } };
        }
        return spawn.call(this, command, ...rest);
    };

    const load = Module._load;
    Module._load = function (...parameters) {
        const loaded = load.apply(this, parameters);
        if (loaded && loaded.RestManager) {
            Module._load = load;
            const getFullUrl = loaded.RestManager.prototype.getFullUrl;
            loaded.RestManager.prototype.getFullUrl = function (...parts) {
                return withKey(getFullUrl.apply(this, parts));
            };
        }
        return loaded;
    };
}

function refuse(answer, status, text) {
    const headers = {
        'Connection': 'close',
        'Content-Type': 'text/plain',
        'Content-Length': Buffer.byteLength(text),
        ...(status === 401 ? { 'WWW-Authenticate': 'Basic realm="nas-ctx", charset="UTF-8"' } : {}),
    };
    if (answer instanceof http.ServerResponse) {
        answer.writeHead(status, headers).end(text);
    } else { // the socket of an upgrade
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
        answer.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`);
    }
}

if (process.env.NAS_CTX_GUARD !== 'off') {
    guard(TOKEN.exec(fs.readFileSync(process.env.NETRC, 'utf8'))[1]);
}
// For the manager alone: servers that trials start are their own.
process.env.NODE_OPTIONS = process.env.NODE_OPTIONS.replace(/--require "[^"]*guard\.js"/, '').trim();
