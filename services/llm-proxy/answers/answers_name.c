/* What idempotency keys and streams are called. */
#include "base/attr.h"
#include "llm-proxy/answers/answers.h"
#include "llm-proxy/guard/llm_charge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const bytes separator = {.ptr = "\x1f", .len = 1};

static bytes of_text(const char *text)
{
    return bytes_from(str_from(text));
}

static bytes of_data(ProtobufCBinaryData data)
{
    return (bytes){.ptr = data.data, .len = data.len};
}

void answers_name_call(const Pb__LlmOpen *open, uint8_t ret_name[static SHA256_SIZE])
{
    const bytes parts[] = {
        of_text("call"),       separator, of_text(open->namespace_),     separator,
        of_text(open->key_id), separator, of_text(open->idempotency_key)};
    sha256_parts(parts, ARRAY_LEN(parts), ret_name);
}

void answers_name_job(const Pb__LeasedJob *job, uint8_t ret_name[static SHA256_SIZE])
{
    const bytes parts[] = {of_text("job"), separator, of_text(job->namespace_), separator,
                           of_text(job->idempotency_key)};
    sha256_parts(parts, ARRAY_LEN(parts), ret_name);
}

void answers_digest_call(const Pb__LlmOpen *open, uint8_t ret_request[static SHA256_SIZE])
{
    const uint8_t operation = (uint8_t)open->operation;
    bool is_validated       = str_is(llm_open_header(open, "tutti-validate"), "true");
    const bytes parts[]     = {{.ptr = &operation, .len = 1},
                               separator,
                               of_text(open->path),
                               separator,
                               of_data(open->body),
                               of_text(is_validated ? "\x1f"
                                                          "validate"
                                                    : "")};
    sha256_parts(parts, ARRAY_LEN(parts), ret_request);
}

void answers_digest_job(const Pb__LeasedJob *job, uint8_t ret_request[static SHA256_SIZE])
{
    const bytes parts[] = {of_text(job->function), separator, of_data(job->input_json)};
    sha256_parts(parts, ARRAY_LEN(parts), ret_request);
}

void answers_stream_name(const struct answers *answers, uint64_t number,
                         char text[static ANSWERS_STREAM_SIZE])
{
    (void)snprintf(text, ANSWERS_STREAM_SIZE, "%s-%016" PRIx64, answers_replica(answers), number);
}

status answers_read_stream(const struct answers *answers, str text, uint64_t *ret_number)
{
    enum { REPLICA_LEN = ANSWERS_REPLICA_SIZE - 1, RAW_SIZE = sizeof(uint64_t) };
    uint8_t replica[REPLICA_LEN / 2];
    uint8_t raw[RAW_SIZE];
    bool is_one = text.len == ANSWERS_STREAM_SIZE - 1 && text.ptr[REPLICA_LEN] == '-' &&
                  hex_decode(str_slice(text, 0, REPLICA_LEN), replica, sizeof replica) &&
                  hex_decode(str_slice(text, REPLICA_LEN + 1, text.len), raw, sizeof raw);
    if (!is_one) return STATUS_INVALID_ARGUMENT;
    *ret_number = u64_from(raw);
    bool is_own = str_is(str_slice(text, 0, REPLICA_LEN), answers_replica(answers));
    return is_own ? STATUS_OK : STATUS_OUT_OF_RANGE;
}
