// Loaded into NNI's manager (`NODE_OPTIONS=--require`): a server that names no host listens on loopback only.
// NNI's manager listens on every interface, asks for no password, and its interface can delete an experiment.
'use strict';
const net = require('net');
const listen = net.Server.prototype.listen;
const isPort = (value) => typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));

net.Server.prototype.listen = function (...parameters) {
    const [first, second] = parameters;
    if (isPort(first) && typeof second !== 'string') {
        parameters.splice(1, 0, '127.0.0.1');
    } else if (first && typeof first === 'object' && isPort(first.port) && !first.host) {
        parameters[0] = { ...first, host: '127.0.0.1' };
    }
    return listen.apply(this, parameters);
};
