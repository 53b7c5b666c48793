// What the host does in a flow of resources (tests.support.flows): steps on exports, with handles that it holds, and
// functions and a resource type of its own.

class Lost extends Error {}

export function flow(instantiate, { steps, functions, tape }) {
  const events = [];
  const held = new Map();
  const coming = functions.values();

  class T0 {
    constructor(rep) {
      this.rep = rep;
    }
    [Symbol.dispose]() {
      events.push(["host's destructor", this.rep]);
    }
  }

  const handle = ({ own, token, rep }) => {
    if (token === null) return new T0(rep);
    const found = held.get(token);
    if (own) held.delete(token);
    return found;
  };

  const perform = (exports, todo) => {
    for (const step of todo) {
      if ("drop" in step) {
        handle({ own: true, token: step.drop })[Symbol.dispose]();
        continue;
      }
      const args = step.args.map(({ shape, handles }) => lowered(shape, handles.map(handle)));
      const results = lifted(step.result, exports[step.node][step.func](...args));
      events.push(["returned", ...results.map((each) => (each instanceof T0 ? each.rep : "own"))]);
      if (results.length !== step.tokens.length) throw new Lost(step.func);
      if (!(results[0] instanceof T0)) step.tokens.forEach((token, i) => held.set(token, results[i]));
    }
  };

  const host = { T0 };
  let exports;
  for (const [name, shapes, result] of HOST) {
    host[name] = (...args) => {
      const reps = args.map((each, i) => lifted(shapes[i], each).map(({ rep }) => rep));
      events.push(["host", name, reps]);
      const { value } = coming.next();
      if (value === undefined) throw new Lost(name);
      perform(exports, value.steps);
      if (result === "one" && value.results.length !== 1) throw new Lost(name);
      if (result !== null) return lowered(result, value.results.map((rep) => new T0(rep)));
    };
  }

  try {
    exports = instantiate({ flush: { default: (log) => events.push(["log", log]) }, host });
    exports.load(tape);
    perform(exports, steps);
    exports.flushRest();
  } catch (error) {
    if (error instanceof Lost) events.push(["lost", error.message]);
    else events.push(["trap", `${error?.name}: ${error?.message}`, String(error?.stack)]);
  }
  return events;
}

// The functions of the host, as topology.py has them: the shapes of their parameters and of the result.
const HOST = [
  ["give0", ["one"], null],
  ["lend0", ["one"], null],
  ["get0", [], "one"],
  ["mix0", ["one", "one"], null],
  ["swap0", ["list"], "list"],
  ["maybe0", ["option"], "option"],
  ["run0", [], null],
];

function lowered(shape, handles) {
  return shape === "list" ? handles : handles[0];
}

function lifted(shape, result) {
  if (shape === "list") return result;
  return result === undefined ? [] : [result];
}
