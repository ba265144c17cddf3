/*
 * A whole answer of OpenAI's chat completions, read where it stands: most are handed on as they
 * came, and little of them is looked at here.
 *
 * Two passes in one: first all of it is read, then it is said, since half an answer cannot be taken
 * back.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "llm-proxy/providers/compatible.h"
#include "llm-proxy/providers/upstream.h"
#include "llm-proxy/stream/answer.h"
#include "json/json_scan.h"
#include "json/json_text.h"

enum { CHOICES_MAX = 4, VALUES_MAX = 1'000'000 /* upstream_parse()'s */, DIGITS_MAX = 18 };

struct scanned_choice {
    int64_t index; /* -1: not said */
    struct json_scan_text thinking, text, refusal;
    str reason;
};

struct scanned_answer {
    struct json_scan *scan;
    str id, model;
    int64_t created_s; /* -1: not said; likewise */
    struct llm_usage usage;
    bool has_usage;
    struct scanned_choice choices[CHOICES_MAX];
    uint32_t choice_count;
};

static void give_up(struct scanned_answer *answer)
{
    answer->scan->is_broken = true;
    answer->scan->at        = answer->scan->end;
}

/* A text or null; anything else is not for here. */
static struct json_scan_text read_text(struct scanned_answer *answer)
{
    struct json_scan_text text = {};
    switch (json_scan_peek(answer->scan)) {
    case '"': json_scan_text(answer->scan, &text); break;
    case 'n': json_scan_skip(answer->scan); break;
    default: give_up(answer);
    }
    return text;
}

static str read_word(struct scanned_answer *answer)
{
    struct json_scan_text text = read_text(answer);
    if (text.raw.len > 0 && !text.is_plain) give_up(answer);
    return text.raw;
}

/* A whole number that is not negative. */
static int64_t read_count(struct scanned_answer *answer)
{
    const char *from = answer->scan->at;
    int64_t count    = 0;
    json_scan_skip(answer->scan);
    size_t size = (size_t)(answer->scan->at - from);
    if (answer->scan->is_broken || size > DIGITS_MAX) give_up(answer);
    for (size_t i = 0; !answer->scan->is_broken && i < size; i++) {
        if (from[i] < '0' || from[i] > '9') give_up(answer);
        count = count * 10 + (from[i] - '0');
    }
    return count;
}

/* Null, or not for here. */
static void read_null(struct scanned_answer *answer)
{
    if (json_scan_peek(answer->scan) != 'n') give_up(answer);
    json_scan_skip(answer->scan);
}

/* Servers name it in two ways, and some say both: `reasoning_content`, unless that is empty. */
static bool read_thinking(struct scanned_answer *answer, str key, struct scanned_choice *choice)
{
    bool is_first = str_is(key, "reasoning_content");
    if (!is_first && !str_is(key, "reasoning")) return false;
    const struct json_scan_text thinking = read_text(answer);
    if (choice->thinking.size == 0 || (is_first && thinking.size > 0)) choice->thinking = thinking;
    return true;
}

static void read_message(struct scanned_answer *answer, struct scanned_choice *choice)
{
    str key = {};
    json_scan_open(answer->scan, '{');
    while (json_scan_member(answer->scan, &key)) {
        if (str_is(key, "content")) {
            choice->text = read_text(answer);
        } else if (str_is(key, "refusal")) {
            choice->refusal = read_text(answer);
        } else if (str_is(key, "tool_calls")) {
            read_null(answer);
        } else if (!read_thinking(answer, key, choice)) {
            json_scan_skip(answer->scan);
        }
    }
}

static void read_choice(struct scanned_answer *answer, struct scanned_choice *choice)
{
    str key = {};
    *choice = (struct scanned_choice){.index = -1};
    json_scan_open(answer->scan, '{');
    while (json_scan_member(answer->scan, &key)) {
        if (str_is(key, "index")) {
            choice->index = read_count(answer);
        } else if (str_is(key, "message")) {
            read_message(answer, choice);
        } else if (str_is(key, "finish_reason")) {
            choice->reason = read_word(answer);
        } else {
            json_scan_skip(answer->scan);
        }
    }
}

static void read_choices(struct scanned_answer *answer)
{
    json_scan_open(answer->scan, '[');
    while (json_scan_item(answer->scan)) {
        if (answer->choice_count == CHOICES_MAX) {
            give_up(answer);
        } else {
            read_choice(answer, &answer->choices[answer->choice_count++]);
        }
    }
}

/* A member that says how many, and where that goes. */
struct counter {
    const char *key;
    int64_t *tokens; /* -1, unless it is said */
};

static void read_counter(struct scanned_answer *answer, str key, const struct counter *counters,
                         size_t count)
{
    size_t at = 0;
    while (at < count && !str_is(key, counters[at].key)) at++;
    if (at < count && json_scan_peek(answer->scan) != 'n') {
        *counters[at].tokens = read_count(answer);
    } else {
        json_scan_skip(answer->scan);
    }
}

/* What is no object has no details. */
static void read_details(struct scanned_answer *answer, const struct counter *counters,
                         size_t count)
{
    str key = {};
    if (json_scan_peek(answer->scan) != '{') {
        json_scan_skip(answer->scan);
        return;
    }
    json_scan_open(answer->scan, '{');
    while (json_scan_member(answer->scan, &key)) read_counter(answer, key, counters, count);
}

/* As compatible_usage() reads it. */
static void read_usage(struct scanned_answer *answer)
{
    struct llm_usage *usage           = &answer->usage;
    const struct counter all[]        = {{"prompt_tokens", &usage->input_tokens},
                                         {"completion_tokens", &usage->output_tokens}};
    const struct counter prompt[]     = {{"audio_tokens", &usage->input_audio_tokens},
                                         {"cached_tokens", &usage->cached_tokens},
                                         {"cache_write_tokens", &usage->cache_write_tokens}};
    const struct counter completion[] = {{"audio_tokens", &usage->output_audio_tokens},
                                         {"reasoning_tokens", &usage->reasoning_tokens}};
    str key                           = {};
    if (json_scan_peek(answer->scan) != '{') {
        json_scan_skip(answer->scan);
        return;
    }
    answer->has_usage = true;
    json_scan_open(answer->scan, '{');
    while (json_scan_member(answer->scan, &key)) {
        if (str_is(key, "prompt_tokens_details")) {
            read_details(answer, prompt, ARRAY_LEN(prompt));
        } else if (str_is(key, "completion_tokens_details")) {
            read_details(answer, completion, ARRAY_LEN(completion));
        } else {
            read_counter(answer, key, all, ARRAY_LEN(all));
        }
    }
}

/* A list `data` is an answer of embeddings. */
static bool read_answer(struct scanned_answer *answer)
{
    str key = {};
    json_scan_open(answer->scan, '{');
    while (json_scan_member(answer->scan, &key)) {
        if (str_is(key, "choices")) {
            read_choices(answer);
        } else if (str_is(key, "id")) {
            answer->id = read_word(answer);
        } else if (str_is(key, "model")) {
            answer->model = read_word(answer);
        } else if (str_is(key, "created")) {
            answer->created_s = read_count(answer);
            if (answer->created_s > COMPATIBLE_CREATED_S_MAX) give_up(answer);
        } else if (str_is(key, "usage")) {
            read_usage(answer);
        } else if (str_is(key, "error")) { /* that counts, also beside choices */
            read_null(answer);
        } else if (str_is(key, "data")) {
            give_up(answer);
        } else {
            json_scan_skip(answer->scan);
        }
    }
    return json_scan_end(answer->scan) && answer->choice_count > 0;
}

/* --- saying it ---------------------------------------------------------------------------------
 */

static void send_text(enum llm_event_kind kind, uint32_t choice, const struct json_scan_text *text,
                      llm_sink *sink, void *context)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    if (text->size == 0 || text->is_plain) {
        upstream_send_piece(kind, choice, 0, text->raw, sink, context);
        return;
    }
    const str quoted = {.ptr = text->raw.ptr - 1, .len = text->raw.len + 2};
    status code      = json_parse(quoted, NULL, &value, NULL, NULL);
    ASSERT(code == STATUS_OK); /* it was read */
    upstream_send_piece(kind, choice, 0, json_str(value), sink, context);
}

static void send_choice(const struct scanned_choice *choice, uint32_t position, llm_sink *sink,
                        void *context)
{
    uint32_t index =
        choice->index >= 0 && choice->index < UINT32_MAX ? (uint32_t)choice->index : position;
    const struct llm_event finish = {.kind   = LLM_FINISH,
                                     .choice = index,
                                     .finish = compatible_finish(choice->reason),
                                     .name   = choice->reason};
    send_text(LLM_THINKING, index, &choice->thinking, sink, context);
    send_text(LLM_TEXT, index, &choice->text, sink, context);
    send_text(LLM_REFUSAL, index, &choice->refusal, sink, context);
    sink(&finish, context);
}

bool compatible_scan(str body, llm_sink *sink, void *context)
{
    struct json_scan scan;
    struct scanned_answer answer; /* its choices are written before they are read */
    const struct llm_event chunk = {
        .kind = LLM_CHUNK, .protocol = PROTOCOL_OPENAI, .spelled = body};
    const struct llm_event end = {.kind = LLM_END, .end = END_COMPLETE};
    if (body.len >= ANSWER_TEXT_MAX) return false;
    answer.scan         = &scan;
    answer.id           = (str){};
    answer.model        = (str){};
    answer.created_s    = -1;
    answer.usage        = llm_usage_unknown();
    answer.has_usage    = false;
    answer.choice_count = 0;
    json_scan_init(&scan, body, VALUES_MAX);
    if (!read_answer(&answer)) return false;
    const struct llm_event used  = {.kind = LLM_USAGE, .usage = answer.usage};
    bool is_dated                = answer.created_s > 0;
    const struct llm_event start = {.kind       = LLM_START,
                                    .id         = answer.id,
                                    .model      = answer.model,
                                    .created_us = is_dated ? answer.created_s * 1'000'000 : 0};
    sink(&chunk, context);
    sink(&start, context);
    for (uint32_t i = 0; i < answer.choice_count; i++) {
        send_choice(&answer.choices[i], i, sink, context);
    }
    if (answer.has_usage) sink(&used, context);
    sink(&end, context);
    return true;
}
