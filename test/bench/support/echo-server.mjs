// A bare grpc-js server whose unary method gives back the bytes it is given: the baseline of the Kv bench. Says its port on stdout.
import { Server, ServerCredentials } from '@grpc/grpc-js';

const same = (bytes) => bytes;
export const echoService = {
  Echo: {
    path: '/bench.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

if (process.argv[1] === import.meta.filename) {
  const server = new Server();
  server.addService(echoService, { Echo: (call, callback) => callback(null, call.request) });
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${JSON.stringify({ event: 'listening', address: `127.0.0.1:${port}` })}\n`);
  });
  process.on('SIGTERM', () => process.exit(0));
}
