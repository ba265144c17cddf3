#include "llm-proxy/chat/chat_scan.h"

#include "base/attr.h"
#include "llm-proxy/chat/chat_read.h"
#include "json/json_scan.h"
#include "json/json_text.h"

#include <string.h>

enum {
    REST_MAX  = 64 << 10, /* bytes of the members that become values */
    BODY_MAX  = 8 << 20,  /* bytes: no size of what is printed exceeds token_estimate's bounds */
    REST_ROOM = 512,      /* bytes that most of them fit in */
};

/* One body on its way. */
struct chat_body {
    struct json_scan *scan;
    struct buf *rest; /* `{"key":value,...` */
    struct chat_request *request;
    size_t texts;   /* bytes as token_estimate counts them: of messages */
    size_t printed; /* of tools */
    size_t message_count;
};

static void give_up(struct chat_body *body)
{
    body->scan->is_broken = true;
    body->scan->at        = body->scan->end;
}

/* The text that is the next value; another value is read, and is empty, as for wire_text(). */
static bool read_text(struct chat_body *body, struct json_scan_text *ret_text)
{
    *ret_text = (struct json_scan_text){};
    if (json_scan_peek(body->scan) != '"') {
        json_scan_skip(body->scan);
        return false;
    }
    json_scan_text(body->scan, ret_text);
    return true;
}

/* The same of a word that is looked at: with escapes it is another's to read. */
static str read_word(struct chat_body *body)
{
    struct json_scan_text text;
    if (read_text(body, &text) && !text.is_plain) give_up(body);
    return body->scan->is_broken ? (str){} : text.raw;
}

/* An id of the vault is put back into the request, which takes its values. */
static void read_id(struct chat_body *body)
{
    if (str_starts_with(read_word(body), str_from("tc-"))) give_up(body);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void read_part(struct chat_body *body)
{
    static const char *const others[] = {"image_url", "input_audio", "file"};
    struct json_scan_text text        = {};
    struct json_scan_text refusal     = {};
    str key                           = {};
    str type                          = {};
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        if (str_is(key, "type")) {
            type = read_word(body);
        } else if (str_is(key, "text")) {
            (void)read_text(body, &text);
        } else if (str_is(key, "refusal")) {
            (void)read_text(body, &refusal);
        } else {
            json_scan_skip(body->scan);
        }
    }
    body->texts += text.size;
    bool is_known = str_is(type, "text") || str_is(type, "refusal");
    if (str_is(type, "text")) body->request->stripped_size += text.size;
    if (str_is(type, "refusal")) body->request->stripped_size += refusal.size;
    if (str_is(type, "image_url")) body->request->stripped_images++;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) is_known = is_known || str_is(type, others[i]);
    if (!is_known) give_up(body);
}

static void read_content(struct chat_body *body)
{
    struct json_scan_text text;
    size_t count = 0;
    switch (json_scan_peek(body->scan)) {
    case '"':
        json_scan_text(body->scan, &text);
        body->texts += text.size;
        body->request->stripped_size += text.size;
        break;
    case '[':
        json_scan_open(body->scan, '[');
        for (; json_scan_item(body->scan); count++) read_part(body);
        if (count > CHAT_PARTS_MAX) give_up(body);
        break;
    case 'n': json_scan_skip(body->scan); break;
    default: give_up(body);
    }
}

static void read_function(struct chat_body *body)
{
    struct json_scan_text text;
    str key = {};
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        bool is_said  = str_is(key, "arguments");
        size_t before = body->scan->printed;
        if (is_said && json_scan_peek(body->scan) == '{') { /* kept as the text of it */
            json_scan_skip(body->scan);
            body->request->stripped_size += body->scan->printed - before;
            continue;
        }
        (void)read_text(body, &text);
        if (!is_said) continue;
        body->texts += text.size;
        body->request->stripped_size += text.size;
    }
}

static void read_call(struct chat_body *body)
{
    bool has_function = false;
    str key           = {};
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        if (str_is(key, "id")) {
            read_id(body);
        } else if (str_is(key, "function")) {
            has_function = true;
            read_function(body);
        } else {
            json_scan_skip(body->scan);
        }
    }
    if (!has_function) give_up(body);
}

static void read_calls(struct chat_body *body)
{
    size_t count = 0;
    if (json_scan_peek(body->scan) != '[') {
        json_scan_skip(body->scan);
        return;
    }
    json_scan_open(body->scan, '[');
    for (; json_scan_item(body->scan); count++) read_call(body);
    if (count > CHAT_PARTS_MAX) give_up(body);
}

static void read_message(struct chat_body *body)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    bool is_known                    = false;
    struct json_scan_text refusal    = {}; /* an assistant's is one more part */
    str key                          = {};
    str role                         = {};
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        if (str_is(key, "role")) {
            role = read_word(body);
        } else if (str_is(key, "content")) {
            read_content(body);
        } else if (str_is(key, "tool_calls")) {
            read_calls(body);
        } else if (str_is(key, "tool_call_id")) {
            read_id(body);
        } else if (str_is(key, "refusal")) {
            (void)read_text(body, &refusal);
        } else {
            json_scan_skip(body->scan);
        }
    }
    if (str_is(role, "assistant")) body->request->stripped_size += refusal.size;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) is_known = is_known || str_is(role, roles[i]);
    if (!is_known) give_up(body);
}

static void read_messages(struct chat_body *body)
{
    json_scan_open(body->scan, '[');
    while (json_scan_item(body->scan)) {
        read_message(body);
        if (++body->message_count > CHAT_MESSAGES_MAX) give_up(body);
    }
}

/* --- tools -------------------------------------------------------------------------------------
 */

static bool has_name(struct chat_body *body)
{
    struct json_scan_text name = {};
    str key                    = {};
    if (json_scan_peek(body->scan) != '{') {
        json_scan_skip(body->scan);
        return false;
    }
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        if (str_is(key, "name")) {
            (void)read_text(body, &name);
        } else {
            json_scan_skip(body->scan);
        }
    }
    return name.size > 0;
}

static void read_tool(struct chat_body *body)
{
    bool is_named = false;
    str key       = {};
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        if (str_is(key, "function")) {
            is_named = has_name(body) || is_named;
        } else if (str_is(key, "type")) {
            is_named = str_is(read_word(body), "custom") || is_named;
        } else {
            json_scan_skip(body->scan);
        }
    }
    if (!is_named) give_up(body);
}

static void read_tools(struct chat_body *body)
{
    size_t before = body->scan->printed;
    size_t count  = 0;
    if (json_scan_peek(body->scan) == '[') {
        json_scan_open(body->scan, '[');
        for (; json_scan_item(body->scan); count++) read_tool(body);
        if (count > CHAT_TOOLS_MAX) give_up(body);
    } else if (json_scan_peek(body->scan) == 'n') {
        json_scan_skip(body->scan);
    } else {
        give_up(body);
    }
    body->printed = body->scan->printed - before;
}

/* --- the members -------------------------------------------------------------------------------
 */

/* What becomes a value. */
static void keep_value(struct chat_body *body, str key)
{
    const char *from = body->scan->at;
    json_scan_skip(body->scan);
    (void)buf_put_byte(body->rest, body->rest->len > 0 ? ',' : '{');
    (void)json_print_text(key, body->rest);
    (void)buf_put_byte(body->rest, ':');
    (void)buf_put(body->rest, from, (size_t)(body->scan->at - from));
}

/* Goes on as it is spelled: with the member before, if that does. `from`: the quote of its key. */
static void add_run(struct chat_request *request, const char *from, const char *to, bool is_joined)
{
    if (!is_joined) request->runs[request->run_count++] = (str){.ptr = from};
    str *run = &request->runs[request->run_count - 1];
    run->len = (size_t)(to - run->ptr);
}

static void read_members(struct chat_body *body)
{
    bool is_joined = false;
    str key        = {};
    json_scan_open(body->scan, '{');
    while (json_scan_member(body->scan, &key)) {
        if (str_is(key, "messages")) {
            read_messages(body);
        } else if (str_is(key, "tools")) {
            read_tools(body);
        } else {
            keep_value(body, key);
        }
        bool is_kept = !chat_member_is_ours(key);
        if (is_kept) add_run(body->request, key.ptr - 1, body->scan->at, is_joined);
        is_joined = is_kept;
    }
    (void)buf_put_text(body->rest, body->rest->len > 0 ? "}" : "{}");
}

static bool read_rest(struct chat_body *body, json *ret_rest)
{
    struct chat_request *request = NULL;
    struct chat_request *found   = body->request;
    if (body->rest->is_full) return false;
    if (json_parse(buf_str(body->rest), NULL, ret_rest, NULL, NULL) != STATUS_OK) return false;
    if (chat_from_openai_rest(*ret_rest, found->arena, &request, NULL) != STATUS_OK) return false;
    request->stripped_size   = found->stripped_size;
    request->stripped_images = found->stripped_images;
    request->run_count       = found->run_count;
    memcpy(request->runs, found->runs, sizeof found->runs);
    body->request = request;
    return true;
}

bool chat_scan_openai(str body, uint32_t values_max, struct arena *arena,
                      struct chat_scanned *ret_scanned)
{
    struct json_scan scan;
    struct chat_request found         = {.arena = arena};
    CLEANUP(buf_done) struct buf kept = buf_init(REST_MAX);
    CLEANUP(json_unrefp) json rest    = json_invalid();
    struct chat_body read             = {.scan = &scan, .rest = &kept, .request = &found};
    if (body.len > BODY_MAX) return false;
    (void)buf_reserve(&kept, REST_ROOM);
    json_scan_init(&scan, body, values_max);
    read_members(&read);
    if (!json_scan_end(&scan) || read.message_count == 0) return false;
    if (!read_rest(&read, &rest)) return false;
    read.request->bytes                  = body;
    ret_scanned->request                 = read.request;
    const struct token_messages messages = {.count  = read.message_count,
                                            .size   = read.texts + read.printed,
                                            .images = read.request->stripped_images};
    ret_scanned->estimate                = token_estimate_with(rest, &messages);
    ret_scanned->rest                    = json_take(&rest);
    return true;
}
