// The strategy once more, in JavaScript: it goes on with what the others counted, and buys when a price has fallen.
import bus from "meld:host/bus@0.1.0";

let count = 0;
let sum = 0;
let last = null;

// There is no TextEncoder in QuickJS; what is said here is ASCII.
const bytes = (text) => Uint8Array.from(text, (each) => each.charCodeAt(0));
const text = (data) => String.fromCharCode(...data);

export const module = {
  initialize(_config) {},

  getCapabilities() {
    return { commands: ["seen"], topics: ["prices/*"], stateSchema: 1 };
  },

  execute(command, _payload) {
    if (command !== "seen") throw { code: "argument", text: "there is one command: seen" };
    return bytes(`${count} ${sum}`);
  },

  handleMessage(message) {
    const price = Number(text(message.payload));
    const word = last !== null && price < last ? "buy" : "wait";
    last = price;
    count += 1;
    sum += price;
    bus.publish("orders/new", bytes(`fallen ${word} ${price}`));
    return bytes(word);
  },

  shutdown() {},

  getState() {
    return { schema: 1, data: bytes(`${count} ${sum}`) };
  },

  restoreState(state) {
    if (state.schema !== 1) throw { code: "schema", text: "schema 1 was expected" };
    [count, sum] = text(state.data).split(" ").map(Number);
  },
};
