// Keeps the articles of one tag in a JSON file: each once, in its newest revision, and none that has lost the tag.
//
// usage: node consumer.mjs BROKERS TOPIC [GROUP] [FILE] [IDLE_SECONDS]
//
// Needs `npm install kafkajs lz4-napi`. Prints what changed; with IDLE_SECONDS it ends after so long without a record.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_PATH ? `${process.env.NODE_PATH}/` : import.meta.url);
const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = require("kafkajs");
const lz4 = require("lz4-napi");

// Telex compresses with LZ4, which kafkajs leaves to others.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: ({ buffer }) => lz4.compressFrame(buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});

const [brokers, topic, group = "telex.consumer.example", file = "articles.json", idle] = process.argv.slice(2);

const read = () => {
  try {
    return new Map(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if (error.code === "ENOENT") return new Map();
    throw error;
  }
};
const articles = read();

// Puts a record into the store; gives what it changed, if anything.
function takeIn({ key, value }) {
  const id = key.toString();
  if (value === null) {
    // The article has lost the tag, or never had it: a retraction may come for what was never here.
    return articles.delete(id) ? { lost: id } : undefined;
  }
  const { revision, title, url } = JSON.parse(value.toString());
  // What came before comes again after a crash between store and commit, and when tags are given anew. An id with a
  // revision is always the same text.
  if ((articles.get(id)?.revision ?? 0) >= revision) return undefined;
  articles.set(id, { revision, title, url });
  return { article: id, revision, title };
}

function keep() {
  writeFileSync(`${file}.new`, JSON.stringify([...articles]));
  renameSync(`${file}.new`, file);
}

// With TLS and SCRAM: ssl: { ca: [readFileSync("ca.pem")] }, sasl: { mechanism: "scram-sha-512", username, password }.
const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR });
// Without readUncommitted, which is the default, records of transactions that were taken back are not seen.
const consumer = kafka.consumer({ groupId: group, readUncommitted: false });
let last = Date.now();

await consumer.connect();
consumer.on(consumer.events.GROUP_JOIN, () => (last = Date.now()));
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  // Offsets are committed below, once the store has the articles.
  autoCommit: false,
  eachBatch: async ({ batch, heartbeat }) => {
    const changes = batch.messages.map(takeIn).filter(Boolean);
    if (changes.length > 0) keep();
    const next = (BigInt(batch.lastOffset()) + 1n).toString();
    await consumer.commitOffsets([{ topic, partition: batch.partition, offset: next }]);
    for (const change of changes) console.log(JSON.stringify(change));
    last = Date.now();
    await heartbeat();
  },
});

const stop = async () => {
  await consumer.disconnect();
  process.exit(0);
};
process.on("SIGINT", stop).on("SIGTERM", stop);
if (idle) setInterval(() => Date.now() - last > idle * 1000 && stop(), 200);
