#include "scheduler/run/agent_said.h"

#include "base/buf.h"
#include "json/json_text.h"

void agent_said_done(struct agent_said *said)
{
    json_unref(said->value);
    json_unref(said->call);
    *said = (struct agent_said){};
}

/* --- a model's answer --------------------------------------------------------------------------
 */

/* A message without a text says so by null. Owned. */
static json content_of_new(json message)
{
    json content = json_get_text(message, "content");
    return json_is(content, JSON_NULL) ? json_text_from("") : json_ref(content);
}

static bool is_repeated(json message, str key, json value)
{
    if (str_is(key, "content")) {
        CLEANUP(json_unrefp) json content = content_of_new(message);
        return json_equal(value, content);
    }
    if (!str_is(key, "tool_calls")) return false;
    json calls = json_get_text(message, "tool_calls");
    if (calls.kind == JSON_INVALID) return json_is(value, JSON_ARRAY) && json_count(value) == 0;
    return json_equal(value, calls);
}

json agent_answer_new(json answer)
{
    json message = json_get_text(answer, "message");
    if (!json_is(message, JSON_OBJECT)) return json_ref(answer);
    json kept = json_object_new(json_count(answer));
    for (size_t i = 0; i < json_count(answer); i++) {
        json value = json_value_at(answer, i);
        if (is_repeated(message, json_key_at(answer, i), value)) continue;
        json_object_put_key(&kept, json_key_value_at(answer, i), json_ref(value));
    }
    return kept;
}

json agent_answer_content_new(json answer)
{
    json content = json_get_text(answer, "content");
    if (content.kind != JSON_INVALID) return json_ref(content);
    return content_of_new(json_get_text(answer, "message"));
}

json agent_answer_calls(json answer)
{
    json calls = json_get_text(answer, "tool_calls");
    if (calls.kind != JSON_INVALID) return calls;
    return json_get_text(json_get_text(answer, "message"), "tool_calls");
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* A long result is cut for the model, between two characters; the journal has all of it. */
static json text_new(json output)
{
    CLEANUP(json_unrefp)
    json text  = json_is(output, JSON_TEXT) ? json_ref(output) : json_to_text_new(output);
    str whole  = json_str(text);
    size_t end = whole.len;
    if (end > AGENT_RESULT_MAX) {
        end = AGENT_RESULT_MAX;
        while (end > 0 && ((uint8_t)whole.ptr[end] & 0xc0) == 0x80) end--;
    }
    if (end == whole.len) return json_take(&text);
    CLEANUP(buf_done) struct buf cut = buf_init(AGENT_RESULT_MAX + 128);
    (void)buf_put_str(&cut, str_slice(whole, 0, end));
    (void)buf_printf(&cut, "\n[cut here; the whole result has %zu bytes]", whole.len);
    return json_text_lossy(buf_str(&cut));
}

/* Of a server's tool the model sees what it was meant to see: values if there are some, else texts;
 * anything else as it came. */
static json of_server(json output)
{
    json structured = json_get_text(output, "structured");
    json content    = json_get_text(output, "content");
    bool is_text    = json_is(content, JSON_ARRAY);
    if (json_is(structured, JSON_OBJECT)) return structured;
    for (size_t i = 0; is_text && i < json_count(content); i++) {
        json type = json_get_text(json_at(content, i), "type");
        is_text   = json_is(type, JSON_TEXT) && str_is(json_str(type), "text");
    }
    json seen = is_text ? json_get_text(output, "text") : content;
    return seen.kind == JSON_INVALID ? output : seen;
}

json agent_said_message_new(const struct agent_said *said)
{
    json seen = said->value;
    switch (said->of) {
    case SAID_MESSAGE: return json_ref(said->value);
    case SAID_ANSWER: return json_ref(json_get_text(said->value, "message"));
    case SAID_SERVER: seen = of_server(said->value); break;
    case SAID_RESULT: break;
    }
    json message = json_object_new(3);
    json_object_put_text(&message, "role", json_text_from("tool"));
    json_object_put_text(&message, "tool_call_id", json_ref(said->call));
    json_object_put_text(&message, "content", text_new(seen));
    return message;
}
