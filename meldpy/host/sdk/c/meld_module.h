/* meld_module.h: what a native module and the host of meldpy say to each other. C99; compiles as C and as C++.
 *
 * A module is a shared library that exports one function, meld_module_entry, which returns a table of functions.
 * The host loads it into a process of its own, so whatever it does there (a wild pointer, an endless loop, a leak)
 * is a failed call, and the process is started anew. Everything the host lends arrives as tables, too.
 *
 * Rules of evolution (safety/adr/adr-0077): every table begins with magic, major, minor and size, forever. Within a
 * major version tables only grow at their end, and a field exists only if it lies within the table's size (MELD_HAS).
 * What is optional is an extension, asked for by name and version. Numbers below never change their meaning.
 *
 * Ownership: what is passed as meld_bytes is borrowed, and gone when the call returns. What is passed as meld_owned
 * belongs to whoever receives it, who calls its `drop` once with its `ctx` when done. A handle (meld_instance) lives
 * from the call that makes it to the call that drops it. No pointer but these crosses. No exception, panic or longjmp
 * leaves a function of these tables, in either direction.
 *
 * Threads: the host calls a module from one thread, one call at a time, never from within another. Functions of the
 * host are marked: [any thread] at any time, [in a call] only on the thread of a call of the host, while it runs.
 *
 * Text is UTF-8 without a terminator where it has a length, with one where it is a const char *.
 */
#ifndef MELD_MODULE_H
#define MELD_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MELD_ABI_MAJOR 1u
#define MELD_ABI_MINOR 0u
#define MELD_MAGIC 0x444C454Du /* "MELD" in memory */

#if defined(_WIN32)
#define MELD_EXPORT __declspec(dllexport)
#else
#define MELD_EXPORT __attribute__((visibility("default")))
#endif

/* First in every table, forever. size: bytes of the whole table, this head included. */
typedef struct meld_head {
  uint32_t magic, major, minor, size;
} meld_head;

#define MELD_HEAD(type) {MELD_MAGIC, MELD_ABI_MAJOR, MELD_ABI_MINOR, (uint32_t)sizeof(type)}
/* Whether `table` (a pointer to `type`) is long enough to have `field`, and has something there. */
#define MELD_HAS(type, table, field)                                                                               \
  ((table)->head.size >= offsetof(type, field) + sizeof((table)->field) && (table)->field != 0)

/* ---- values -------------------------------------------------------------------------------------------------- */

/* Borrowed: valid until the call returns. ptr may be null if len is 0. */
typedef struct meld_bytes {
  const uint8_t *ptr;
  uint64_t len;
} meld_bytes;

/* Owned: whoever receives it calls drop(ctx) once. All zero means nothing, and needs no drop. */
typedef struct meld_owned {
  uint8_t *ptr;
  uint64_t len;
  void *ctx;
  void (*drop)(void *ctx);
} meld_owned;

/* What a function says of itself: MELD_OK, or why not. Never a C enum, whose size nobody knows. */
typedef int32_t meld_code;
#define MELD_OK 0
#define MELD_E_FAILED 1      /* it was tried, and did not work */
#define MELD_E_ARGUMENT 2    /* the command, topic or payload is not what the callee understands */
#define MELD_E_STATE 3       /* not now: in this state of its life, or on this thread, the callee cannot do that */
#define MELD_E_CANCELLED 4   /* somebody asked for an end */
#define MELD_E_UNSUPPORTED 5 /* the callee never does that */
#define MELD_E_SCHEMA 6      /* the state to restore has a schema that the module does not know */
#define MELD_E_DENIED 7      /* the caller was not granted that */
#define MELD_E_BUSY 8        /* the receiver's mailbox is full */
#define MELD_E_TIMEOUT 9     /* no answer in time */
#define MELD_E_PANIC 100     /* from a module only: an exception stopped at its border, and the instance is dead */

/* Room of the caller's for the text that goes with a code. The callee writes at most `capacity` bytes to `text` and
 * sets `length`; it may leave it alone. A null pointer in place of one means that nobody wants the text. */
typedef struct meld_error {
  uint32_t size; /* of this struct */
  uint32_t capacity, length, reserved;
  char *text;
} meld_error;

typedef int32_t meld_level;
#define MELD_TRACE 0
#define MELD_DEBUG 1
#define MELD_INFO 2
#define MELD_WARN 3
#define MELD_ERROR 4

/* A message as its receiver sees it. A field exists only if it lies within `size`. */
typedef struct meld_message {
  uint32_t size;    /* of this struct */
  uint32_t version; /* what the fields mean; 1 */
  uint64_t id;      /* unique among the messages of one host, the same when a message is delivered again */
  meld_bytes topic, sender, payload; /* sender: empty for the program around the host */
  uint32_t attempt; /* 1 at the first delivery */
  uint32_t flags;
} meld_message;
#define MELD_MESSAGE_WANTS_REPLY 1u

/* ---- what the host lends ------------------------------------------------------------------------------------- */

typedef struct meld_host {
  meld_head head;
  void *ctx; /* the first argument of everything below, and of every extension */
  /* One line. Lines that come faster than the host takes them are counted and left out. [any thread] */
  void (*log)(void *ctx, meld_level level, meld_bytes text);
  /* The table called `id`, or null: unknown here, or not granted. It lives as long as the process. [any thread] */
  const void *(*extension)(void *ctx, const char *id);
} meld_host;

#define MELD_BUS_1 "meld.bus/1"
typedef struct meld_bus {
  meld_head head;
  /* To every module that subscribed to the topic. [in a call] */
  meld_code (*publish)(void *ctx, meld_bytes topic, meld_bytes payload, meld_error *error);
  /* To one module. [in a call] */
  meld_code (*send)(void *ctx, meld_bytes to, meld_bytes topic, meld_bytes payload, meld_error *error);
  /* To one module, and wait for its reply. [in a call] */
  meld_code (*request)(void *ctx, meld_bytes to, meld_bytes topic, meld_bytes payload, uint64_t timeout_ns,
                       meld_owned *reply, meld_error *error);
} meld_bus;

#define MELD_JOBS_1 "meld.jobs/1"
typedef struct meld_jobs { /* outside a job checkpoint fails, and the rest does nothing */
  meld_head head;
  /* total: 0 where nobody knows. [in a call] */
  meld_code (*report_progress)(void *ctx, uint64_t done, uint64_t total, meld_bytes text, meld_error *error);
  /* Kept when it returns. A job that is paused or cancelled ends in it, and the process with it. [in a call] */
  meld_code (*checkpoint)(void *ctx, meld_bytes data, meld_error *error);
  /* What the job kept last; *found is 0 if it kept nothing. [in a call] */
  meld_code (*last_checkpoint)(void *ctx, meld_owned *data, int32_t *found, meld_error *error);
  /* Whether somebody wants the job to end. [in a call] */
  meld_code (*is_cancelled)(void *ctx, int32_t *cancelled, meld_error *error);
  /* A line of the job's own log. [in a call] */
  meld_code (*log_line)(void *ctx, meld_bytes text, meld_error *error);
  /* A number of the job's; the last one counts. [in a call] */
  meld_code (*metric)(void *ctx, meld_bytes name, double value, meld_error *error);
} meld_jobs;

#define MELD_KV_1 "meld.kv/1"
typedef struct meld_kv { /* small things that outlive the module; each module sees its own */
  meld_head head;
  meld_code (*get)(void *ctx, meld_bytes key, meld_owned *value, int32_t *found, meld_error *error); /* [in a call] */
  meld_code (*set)(void *ctx, meld_bytes key, meld_bytes value, meld_error *error);                  /* [in a call] */
  meld_code (*remove)(void *ctx, meld_bytes key, meld_error *error);                                 /* [in a call] */
  /* `visit` is called for each key, in order, before `keys` returns. [in a call] */
  meld_code (*keys)(void *ctx, meld_bytes prefix, void (*visit)(void *visitor, meld_bytes key), void *visitor,
                    meld_error *error);
} meld_kv;

#define MELD_CLOCK_1 "meld.clock/1"
typedef struct meld_clock {
  meld_head head;
  uint64_t (*now)(void *ctx);       /* nanoseconds since 1970, UTC [any thread] */
  uint64_t (*monotonic)(void *ctx); /* nanoseconds since some moment; never goes back [any thread] */
} meld_clock;

/* ---- what a module is ---------------------------------------------------------------------------------------- */

typedef struct meld_instance meld_instance; /* opaque to the host, from create to destroy */

typedef struct meld_module {
  meld_head head;
  const char *name, *version; /* the module's own, for people */
  const char *built_with;     /* language, compiler, SDK, for people; may be null */
  const char *const *commands; /* what execute understands, then a null; may be null */
  const char *const *topics;   /* what the module wants to receive, then a null; may be null */
  uint32_t flags;
  uint32_t state_schema; /* of get_state, if the module keeps state */
  /* Once, before all else. config: a JSON object. host: lives as long as the process. */
  meld_code (*create)(const meld_host *host, meld_bytes config, meld_instance **instance, meld_error *error);
  /* Drops the handle; the last call. */
  void (*destroy)(meld_instance *instance);
  meld_code (*execute)(meld_instance *instance, meld_bytes command, meld_bytes payload, meld_owned *result,
                       meld_error *error);
  /* May be null: the module takes no messages. */
  meld_code (*handle_message)(meld_instance *instance, const meld_message *message, meld_owned *reply,
                              meld_error *error);
  /* Both null, or both there (MELD_MODULE_KEEPS_STATE). restore_state follows create, before all else. */
  meld_code (*get_state)(meld_instance *instance, meld_owned *state, meld_error *error);
  meld_code (*restore_state)(meld_instance *instance, uint32_t schema, meld_bytes state, meld_error *error);
  /* May be null. The module's table called `id`, or null. */
  const void *(*extension)(const char *id);
} meld_module;
#define MELD_MODULE_KEEPS_STATE 1u

/* The only symbol that counts. major, minor: what the host speaks. Null: the module does not serve that, and *why says
 * so in a static text. The table is static. No work is done here, and none in constructors of the library. */
MELD_EXPORT const meld_module *meld_module_entry(uint32_t major, uint32_t minor, const char **why);

#ifdef __cplusplus
}
#endif
#endif
