/* A module that adds numbers: those of messages into a total that it keeps, those of a payload as a job.
 *
 * cc -std=c99 -O2 -shared -fPIC -fvisibility=hidden -I.. tally.c -o tally.so
 */
#include "meld_sdk.h"

#include <inttypes.h>

struct meld_instance {
  const meld_host *host;
  uint64_t total;
};

static meld_code create(const meld_host *host, meld_bytes config, meld_instance **instance, meld_error *error) {
  (void)config;
  *instance = (meld_instance *)calloc(1, sizeof **instance);
  if (*instance == NULL) return meld_fail(error, MELD_E_FAILED, "no memory");
  (*instance)->host = host;
  meld_log(host, MELD_INFO, "counting from %d", 0);
  return MELD_OK;
}

static void destroy(meld_instance *self) { free(self); }

/* A decimal number, all of the text. */
static int parse(meld_bytes text, uint64_t *number) {
  *number = 0;
  for (uint64_t i = 0; i < text.len; i++) {
    uint64_t digit = (uint64_t)(text.ptr[i] - '0');
    if (text.ptr[i] < '0' || digit > 9 || *number > (UINT64_MAX - digit) / 10) return 0;
    *number = *number * 10 + digit;
  }
  return text.len > 0;
}

/* The sum of the payload's bytes. As a job it goes on from its checkpoint, which is "PLACE SUM". */
static meld_code sum(meld_instance *self, meld_bytes payload, meld_owned *result, meld_error *error) {
  enum { STEP = 4096 };
  const meld_host *host = self->host;
  const meld_jobs *jobs = meld_jobs_of(host);
  uint64_t place = 0, sum = 0;
  meld_code code;
  if (jobs) {
    meld_owned kept = {0};
    int32_t found = 0;
    char text[64] = {0};
    if ((code = jobs->last_checkpoint(host->ctx, &kept, &found, error))) return code;
    if (kept.len) memcpy(text, kept.ptr, kept.len < 63 ? (size_t)kept.len : 63);
    meld_drop(&kept);
    if (found && sscanf(text, "%" SCNu64 " %" SCNu64, &place, &sum) != 2)
      return meld_fail(error, MELD_E_STATE, "a checkpoint of another version");
  }
  while (place < payload.len) {
    uint64_t end = payload.len - place < STEP ? payload.len : place + STEP;
    for (; place < end; place++) sum += payload.ptr[place];
    if (jobs) {
      int32_t cancelled = 0;
      char text[64];
      snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, place, sum);
      if ((code = jobs->report_progress(host->ctx, place, payload.len, meld_text("adding"), error))) return code;
      if ((code = jobs->is_cancelled(host->ctx, &cancelled, error))) return code;
      if (cancelled) return meld_fail(error, MELD_E_CANCELLED, "after %" PRIu64 " bytes", place);
      /* outside a job there is nothing to keep it in, which is no reason to fail */
      code = jobs->checkpoint(host->ctx, meld_text(text), NULL);
      if (code != MELD_OK && code != MELD_E_STATE) return meld_fail(error, code, "the checkpoint was not kept");
    }
  }
  return meld_print(result, "%" PRIu64, sum);
}

static meld_code execute(meld_instance *self, meld_bytes command, meld_bytes payload, meld_owned *result,
                         meld_error *error) {
  if (meld_is(command, "total")) return meld_print(result, "%" PRIu64, self->total);
  if (meld_is(command, "sum")) return sum(self, payload, result, error);
  return meld_fail(error, MELD_E_UNSUPPORTED, "no command %.*s", (int)command.len, (const char *)command.ptr);
}

static meld_code handle_message(meld_instance *self, const meld_message *message, meld_owned *reply,
                                meld_error *error) {
  uint64_t number;
  if (!parse(message->payload, &number)) return meld_fail(error, MELD_E_ARGUMENT, "not a number");
  if (self->total > UINT64_MAX - number) return meld_fail(error, MELD_E_FAILED, "the total would be too large");
  self->total += number;
  return message->flags & MELD_MESSAGE_WANTS_REPLY ? meld_print(reply, "%" PRIu64, self->total) : MELD_OK;
}

static meld_code get_state(meld_instance *self, meld_owned *state, meld_error *error) {
  (void)error;
  return meld_print(state, "%" PRIu64, self->total);
}

static meld_code restore_state(meld_instance *self, uint32_t schema, meld_bytes state, meld_error *error) {
  if (schema != 1) return meld_fail(error, MELD_E_SCHEMA, "schema %u is not mine", (unsigned)schema);
  if (!parse(state, &self->total)) return meld_fail(error, MELD_E_ARGUMENT, "a state that is no number");
  return MELD_OK;
}

static const char *const commands[] = {"total", "sum", NULL};
static const char *const topics[] = {"numbers/*", NULL};

MELD_MODULE(.name = "tally", .version = "0.1.0", .commands = commands, .topics = topics,
            .flags = MELD_MODULE_KEEPS_STATE, .state_schema = 1, .create = create, .destroy = destroy,
            .execute = execute, .handle_message = handle_message, .get_state = get_state,
            .restore_state = restore_state)
