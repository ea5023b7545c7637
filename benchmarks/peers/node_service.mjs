// An upload service as usually written in Node: Fastify, sharp and the AWS SDK, one process, a pipeline per file.
import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'

const require = createRequire(process.env.BENCH_NODE)
const sharp = require('sharp')
const { S3Client, PutObjectCommand } = require('@aws-sdk/client-s3')
const app = require('fastify')({ bodyLimit: 50 * 1024 * 1024 })
app.register(require('@fastify/multipart'), { limits: { fileSize: 50 * 1024 * 1024 } })

const bucket = process.env.S3_BUCKET_NAME
const s3 = new S3Client({
  endpoint: process.env.S3_ENDPOINT_URL,
  region: process.env.AWS_REGION,
  forcePathStyle: true,
  credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY }
})

const WIDTHS = [320, 640, 1280, 1920]
const PRESETS = { thumb: [320, 320], card: [640, 480], cover: [1600, 900] }
const ENCODERS = {
  jpg: { contentType: 'image/jpeg', encode: picture => picture.jpeg({ quality: 80 }) },
  webp: { contentType: 'image/webp', encode: picture => picture.webp({ quality: 80 }) }
}

async function store (key, body, contentType) {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType }))
  return body.length
}

app.post('/upload', async request => {
  const photo = await (await request.file()).toBuffer()
  const id = randomUUID()
  const jobs = []
  const render = async (name, extension, resized) => {
    const { contentType, encode } = ENCODERS[extension]
    return store(`peers/node/${id}/${name}.${extension}`, await encode(resized).toBuffer(), contentType)
  }
  const upright = () => sharp(photo).rotate()
  jobs.push(render('original', 'jpg', upright().resize(2560, 2560, { fit: 'inside', withoutEnlargement: true })))
  for (const extension of Object.keys(ENCODERS)) {
    for (const width of WIDTHS) jobs.push(render(width, extension, upright().resize(width)))
    for (const [name, [width, height]] of Object.entries(PRESETS)) {
      jobs.push(render(name, extension, upright().resize(width, height, { fit: 'cover' })))
    }
  }
  const sizes = await Promise.all(jobs)
  return { objects: sizes.length, bytes: sizes.reduce((total, size) => total + size, 0) }
})

app.get('/ready', async () => ({ ready: true }))
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
