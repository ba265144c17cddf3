#include "llm-proxy/call/content_log.h"

#include "base/utf8.h"
#include "pii/scrub.h"
#include "json/json_text.h"

#include <string.h>

enum { TEXT_MAX = 64 << 20 /* bytes that are looked through */ };

static struct scrub *masking(void)
{
    const struct scrub_options all = {.mode = PII_MASK, .kinds = PII_ALL};
    return scrub_new(&all);
}

static void write_line(const char *message, str text, const struct log_field *ids)
{
    str shown                     = str_slice(text, 0, CONTENT_LOG_MAX);
    shown                         = str_slice(shown, 0, utf8_valid_prefix(shown));
    const struct log_field said[] = {LOG_STR("content", shown),
                                     LOG_INT("content_bytes", (int64_t)text.len)};
    struct log_field all[CALL_LOG_IDS + ARRAY_LEN(said)];
    memcpy(all, ids, CALL_LOG_IDS * sizeof *ids);
    memcpy(all + CALL_LOG_IDS, said, sizeof said);
    log_fields(LOG_INFO, message, all, ARRAY_LEN(all));
}

void content_log_request(json body, const struct log_field ids[static CALL_LOG_IDS])
{
    if (!log_is_written(LOG_INFO)) return;
    CLEANUP(scrub_freep) struct scrub *scrub = masking();
    CLEANUP(json_unrefp) json masked         = scrub_json(scrub, body);
    CLEANUP(buf_done) struct buf text        = buf_init(TEXT_MAX);
    (void)json_print(masked, JSON_COMPACT, &text);
    write_line("llm.request", buf_str(&text), ids);
}

static void put_choice(struct scrub *scrub, const struct answer_choice *choice, struct buf *out)
{
    (void)scrub_text(scrub, buf_str(&choice->text), out);
    (void)scrub_text(scrub, buf_str(&choice->refusal), out);
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        const struct answer_tool_call *call = &choice->tool_calls[i];
        (void)buf_put_byte(out, '\n');
        (void)buf_put_str(out, buf_str(&call->name));
        (void)buf_put_byte(out, ' ');
        (void)scrub_text(scrub, buf_str(&call->arguments), out);
    }
}

void content_log_answer(const struct answer *answer,
                        const struct log_field ids[static CALL_LOG_IDS])
{
    if (!answer || answer->choice_count == 0 || !log_is_written(LOG_INFO)) return;
    CLEANUP(scrub_freep) struct scrub *scrub = masking();
    CLEANUP(buf_done) struct buf text        = buf_init(TEXT_MAX);
    for (uint32_t i = 0; i < answer->choice_count; i++) {
        if (i > 0) (void)buf_put_byte(&text, '\n');
        put_choice(scrub, &answer->choices[i], &text);
    }
    write_line("llm.answer", buf_str(&text), ids);
}
