// sharp, as usually written and as a hand-tuned cascade: a request per line in, an answer per line out.
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const sharp = createRequire(process.env.BENCH_NODE)('sharp')
sharp.concurrency(1)

const ENCODERS = {
  jpeg: (picture, quality) => picture.jpeg({ quality }),
  webp: (picture, quality) => picture.webp({ quality }),
  avif: (picture, quality) => picture.avif({ quality })
}

// One pipeline per file, as the documentation shows it.
async function sharp_usual ({ content, sizes, formats }) {
  const made = {}
  for (const [width] of sizes) {
    for (const [name, quality] of Object.entries(formats)) {
      made[`${width}.${name}`] = await ENCODERS[name](sharp(content).rotate().resize(width), quality).toBuffer()
    }
  }
  return made
}

// One decode with shrink-on-load, then raw pixels from width to width, each in exactly its size.
async function sharp_cascade ({ content, sizes, formats }) {
  const made = {}
  let step = sharp(content, { sequentialRead: true }).rotate()
  for (const [width, height] of sizes) {
    const { data, info } = await step.resize(width, height, { fit: 'fill' }).raw().toBuffer({ resolveWithObject: true })
    const raw = { width: info.width, height: info.height, channels: info.channels }
    for (const [name, quality] of Object.entries(formats)) {
      made[`${width}.${name}`] = await ENCODERS[name](sharp(data, { raw }), quality).toBuffer()
    }
    step = sharp(data, { raw })
  }
  return made
}

const run = { sharp_usual, sharp_cascade }[process.argv[2]]
let work
let made = {}
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  if (request.prepare) {
    work = { ...request.prepare, content: readFileSync(request.prepare.photo) }
    made = {}
  } else if (request.save) {
    for (const [name, body] of Object.entries(made)) writeFileSync(`${request.save}/${name}`, body)
  } else {
    made = await run(work)
  }
  console.log(JSON.stringify(Object.fromEntries(Object.entries(made).map(([name, body]) => [name, body.length]))))
}
