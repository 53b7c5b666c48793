// Core outputs in V8: see __init__.py for the lines that are spoken here.
import { readSync, writeSync } from "node:fs";

let pending = Buffer.alloc(0);
function line() {
  const chunk = Buffer.alloc(1 << 16);
  for (;;) {
    const end = pending.indexOf(10);
    if (end >= 0) {
      const text = pending.subarray(0, end).toString();
      pending = pending.subarray(end + 1);
      return text;
    }
    let count;
    try {
      count = readSync(0, chunk, 0, chunk.length, null);
    } catch (error) {
      if (error.code === "EAGAIN") continue;
      throw error;
    }
    if (count === 0) process.exit(0);
    pending = Buffer.concat([pending, chunk.subarray(0, count)]);
  }
}
function say(text) {
  const data = Buffer.from(text + "\n");
  for (let at = 0; at < data.length; ) {
    try {
      at += writeSync(1, data, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const view = new DataView(new ArrayBuffer(8));
function fromBits(type, bits) {
  view.setBigUint64(0, BigInt(bits), true);
  if (type === "i") return view.getInt32(0, true);
  if (type === "I") return view.getBigInt64(0, true);
  return type === "f" ? view.getFloat32(0, true) : view.getFloat64(0, true);
}
function toBits(type, value) {
  view.setBigUint64(0, 0n, true);
  if (type === "i") view.setInt32(0, value, true);
  else if (type === "I") view.setBigInt64(0, value, true);
  else if (type === "f") view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return view.getBigUint64(0, true).toString();
}

const unhex = (text) => (text === "-" ? "" : Buffer.from(text, "hex").toString());
const types = (text) => (text === "-" ? [] : [...text]);
const imports = [];
const exported = [];
let bytes, instance;
class HostFailed extends Error {}

function host(number, args) {
  const { params, results } = imports[number];
  say(["host", number, ...params.map((type, i) => toBits(type, args[i]))].join(" "));
  const words = serve();
  if (words === null) throw new HostFailed();
  const values = results.map((type, i) => fromBits(type, words[i]));
  return values.length > 1 ? values : values[0];
}

function call(words) {
  const { func, params, results } = exported[Number(words[0])];
  const value = func(...params.map((type, i) => fromBits(type, words[i + 1])));
  const values = results.length > 1 ? [...value] : results.length ? [value] : [];
  return ["done", ...results.map((type, i) => toBits(type, values[i]))].join(" ");
}

function go() {
  const given = {};
  imports.forEach(({ module, name }, number) => {
    (given[module] ??= {})[name] = (...args) => host(number, args);
  });
  instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), given);
  for (const each of exported) each.func = instance.exports[each.name];
  return "ok";
}

function attempt(action) {
  try {
    return action();
  } catch (error) {
    const kind = error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError ? "error" : "trap";
    return `${kind} ${String(error.message).split("\n")[0]}`;
  }
}

// Commands until the host returns; null if it failed.
function serve() {
  for (;;) {
    const [word, ...rest] = line().split(" ");
    const memory = instance?.exports.memory;
    if (word === "load") bytes = Buffer.from(rest[0], "hex");
    else if (word === "I")
      imports.push({ module: unhex(rest[0]), name: unhex(rest[1]), params: types(rest[2]), results: types(rest[3]) });
    else if (word === "E") exported.push({ name: unhex(rest[0]), params: types(rest[1]), results: types(rest[2]) });
    else if (word === "go") say(attempt(go));
    else if (word === "call") say(attempt(() => call(rest)));
    else if (word === "read") say(`data ${Buffer.from(memory.buffer, Number(rest[0]), Number(rest[1])).toString("hex")}`);
    else if (word === "write") {
      Buffer.from(rest[1], "hex").copy(Buffer.from(memory.buffer), Number(rest[0]));
      say("ok");
    } else if (word === "size") say(`data ${memory ? memory.buffer.byteLength : 0}`);
    else if (word === "return") return rest;
    else if (word === "fail") return null;
  }
}

serve();
