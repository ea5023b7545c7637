// ipx as its manual starts it: a server of Node on its storage of files, nothing kept.
import { createRequire } from 'node:module'
import { createServer } from 'node:http'

const require = createRequire(process.env.BENCH_NODE)
const { createIPX, createIPXNodeServer, ipxFSStorage } = require('ipx')

const ipx = createIPX({ storage: ipxFSStorage({ dir: process.env.BENCH_ORIGINALS }) })
createServer(createIPXNodeServer(ipx)).listen(Number(process.argv[2]), '127.0.0.1')
