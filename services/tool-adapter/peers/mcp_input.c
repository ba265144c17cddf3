#include "tool-adapter/peers/mcp_input.h"

#include "base/arena.h"
#include "base/attr.h"
#include "base/utf8.h"
#include "http/url.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <string.h>

#define DISGUISED "the host's name stands for other letters (Punycode)"

enum {
    CHECK_MAX = 8 << 20, /* bytes, while an answer is checked */
    SAID_MAX  = 300,     /* bytes of a message in a sentence */
    TITLE_MAX = 120,     /* bytes of who asks */
};

/* --- a stranger's words ------------------------------------------------------------------------
 */

/* Controls of C0 and C1, and what turns the direction of writing (Unicode, "Bidi_Control"). */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_clean(str text)
{
    for (size_t i = 0; i < text.len;) {
        if (is_control(utf8_next(text, &i))) return false;
    }
    return true;
}

/* Cut, without controls; line ends stay where `has_lines`, else they are blanks. */
static void put_clean(str text, size_t max, bool has_lines, struct buf *out)
{
    size_t end = out->len + max;
    for (size_t i = 0; i < text.len;) {
        size_t from  = i;
        uint32_t c   = utf8_next(text, &i);
        bool is_line = c == '\n' || c == '\t';
        if (out->len + (i - from) > end) return;
        if (is_line) {
            (void)buf_put_byte(out, has_lines && c == '\n' ? '\n' : ' ');
        } else if (!is_control(c)) {
            (void)buf_put(out, text.ptr + from, i - from);
        }
    }
}

static json clean_new(json text, size_t max, bool has_lines)
{
    CLEANUP(buf_done) struct buf clean = buf_init(MCP_INPUT_MESSAGE_MAX + 1);
    put_clean(json_str(text), max, has_lines, &clean);
    return json_text_new(buf_str(&clean));
}

static bool is_name(str name)
{
    return name.len > 0 && name.len <= MCP_INPUT_NAME_MAX && is_clean(name);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static status refuse(struct error *reterr, const char *what, str name, const char *why)
{
    CLEANUP(buf_done) struct buf clean = buf_init(MCP_INPUT_NAME_MAX + 1);
    put_clean(name, MCP_INPUT_NAME_MAX, false, &clean);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s `" STR_FMT "` %s", what,
                STR_ARG(buf_str(&clean)), why);
}

static bool is_url_mode(json params)
{
    json mode = json_get_text(params, "mode");
    return json_is(mode, JSON_TEXT) && str_is(json_str(mode), "url");
}

static bool is_form_mode(json params)
{
    json mode = json_get_text(params, "mode");
    return json_is(mode, JSON_INVALID) ||
           (json_is(mode, JSON_TEXT) && str_is(json_str(mode), "form"));
}

/* A name in front of the host would pass for one. */
static bool is_address(json text, struct url *ret_url)
{
    if (!json_is(text, JSON_TEXT) || json_str(text).len > MCP_INPUT_URL_MAX) return false;
    return url_parse(json_str(text), ret_url) && ret_url->user_info.len == 0;
}

static status check_request(str name, json request, struct error *reterr)
{
    json method = json_get_text(request, "method");
    json params = json_get_text(request, "params");
    struct url url;
    if (!is_name(name)) {
        return refuse(reterr, "the name", name, "of a request for input cannot be used");
    }
    if (!json_is(method, JSON_TEXT)) {
        return refuse(reterr, "the request", name, "for input has no method");
    }
    if (!str_is(json_str(method), "elicitation/create")) {
        return refuse(reterr, "it asks for", json_str(method), "which is not offered here");
    }
    if (!json_is(json_get_text(params, "message"), JSON_TEXT)) {
        return refuse(reterr, "the request", name, "for input has no message");
    }
    if (is_url_mode(params)) {
        if (is_address(json_get_text(params, "url"), &url)) return STATUS_OK;
        return refuse(reterr, "the request", name, "for input names no address of the web");
    }
    if (is_form_mode(params)) return STATUS_OK;
    return refuse(reterr, "the request", name, "for input is neither a form nor an address");
}

static status check_requests(json requests, struct error *reterr)
{
    size_t count = json_is(requests, JSON_OBJECT) ? json_count(requests) : 0;
    if (count == 0 || count > MCP_INPUTS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "requests for input: a map of 1 to %d of them",
                    MCP_INPUTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(check_request(json_key_at(requests, i), json_value_at(requests, i), reterr));
    }
    return STATUS_OK;
}

/* --- forms --------------------------------------------------------------------------------------
 */

static void label_copy(json *to, json from, const char *member)
{
    json text = json_get_text(from, member);
    if (!json_is(text, JSON_TEXT)) return;
    json_object_put_text(to, member, clean_new(text, MCP_INPUT_LABEL_MAX, false));
}

static void number_copy(json *to, json from, const char *member, bool is_count)
{
    json number     = json_get_text(from, member);
    int64_t counted = 0;
    bool fits =
        json_is_number(number) && (!is_count || (json_to_int(number, &counted) && counted >= 0));
    if (fits) json_object_put_text(to, member, json_ref(number));
}

static bool is_choice(json value)
{
    return json_is(value, JSON_TEXT) && json_str(value).len <= MCP_INPUT_CHOICE_MAX &&
           is_clean(json_str(value));
}

/* ["a", …] of `enum`, or [{const, title}, …]. */
static bool choices_copy(json *to, const char *member, json list)
{
    size_t count  = json_is(list, JSON_ARRAY) ? json_count(list) : 0;
    bool is_plain = strcmp(member, "enum") == 0;
    json copied   = json_array_new(count);
    bool is_fine  = count > 0 && count <= MCP_INPUT_CHOICES_MAX;
    for (size_t i = 0; is_fine && i < count; i++) {
        json one   = json_at(list, i);
        json value = is_plain ? one : json_get_text(one, "const");
        json kept  = json_ref(one);
        is_fine    = is_choice(value);
        if (is_fine && !is_plain) {
            json_unref(kept);
            kept = json_object_new(2);
            json_object_put_text(&kept, "const", json_ref(value));
            label_copy(&kept, one, "title");
        }
        json_array_push(&copied, kept);
    }
    json_object_put_text(to, member, copied);
    return is_fine;
}

static bool has(json object, const char *member)
{
    return !json_is(json_get_text(object, member), JSON_INVALID);
}

static bool text_copy(json *to, json from)
{
    static const char *const formats[] = {"email", "uri", "date", "date-time"};
    json format                        = json_get_text(from, "format");
    number_copy(to, from, "minLength", true);
    number_copy(to, from, "maxLength", true);
    for (size_t i = 0; json_is(format, JSON_TEXT) && i < ARRAY_LEN(formats); i++) {
        if (str_is(json_str(format), formats[i])) {
            json_object_put_text(to, "format", json_ref(format));
        }
    }
    bool is_fine = !has(from, "enum") || choices_copy(to, "enum", json_get_text(from, "enum"));
    return is_fine &&
           (!has(from, "oneOf") || choices_copy(to, "oneOf", json_get_text(from, "oneOf")));
}

/* Several of some choices. */
static bool list_copy(json *to, json from)
{
    json items = json_get_text(from, "items");
    json kept  = json_object_new(2);
    json_object_put_text(&kept, "type", json_text_from("string"));
    number_copy(to, from, "minItems", true);
    number_copy(to, from, "maxItems", true);
    json_object_put_text(to, "uniqueItems", json_bool(true));
    bool is_plain     = has(items, "enum");
    const char *which = is_plain ? "enum" : "anyOf";
    bool is_fine      = choices_copy(&kept, which, json_get_text(items, which));
    json_object_put_text(to, "items", kept);
    return is_fine;
}

static status check(json form, json content, struct error *reterr)
{
    CLEANUP(schema_freep) struct schema *schema = NULL;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(CHECK_MAX);
    const struct schema_options options         = {.assert_formats = true};
    TRY(schema_compile(form, &options, NULL, &schema, reterr));
    return schema_check(schema, content, arena, NULL, reterr);
}

static bool is_default_of(str type, json value)
{
    if (str_is(type, "string")) return json_is(value, JSON_TEXT) && is_clean(json_str(value));
    if (str_is(type, "boolean")) return json_is_bool(value);
    if (str_is(type, "array")) return json_is(value, JSON_ARRAY);
    int64_t whole = 0;
    if (str_is(type, "integer")) return json_to_int(value, &whole);
    return json_is_number(value);
}

/* JSON_INVALID: it is no field of a form. Owned. */
static json field_new(json from)
{
    json type = json_get_text(from, "type");
    if (!json_is(type, JSON_TEXT)) return json_invalid();
    str name     = json_str(type);
    json field   = json_object_new(6);
    bool is_fine = true;
    json_object_put_text(&field, "type", json_ref(type));
    label_copy(&field, from, "title");
    label_copy(&field, from, "description");
    if (str_is(name, "string")) {
        is_fine = text_copy(&field, from);
    } else if (str_is(name, "array")) {
        is_fine = list_copy(&field, from);
    } else if (str_is(name, "number") || str_is(name, "integer")) {
        number_copy(&field, from, "minimum", false);
        number_copy(&field, from, "maximum", false);
    } else {
        is_fine = str_is(name, "boolean");
    }
    json value = json_get_text(from, "default");
    /* One that does not fit would fail the call when somebody has answered. */
    bool has_default =
        is_fine && is_default_of(name, value) && check(field, value, NULL) == STATUS_OK;
    if (has_default) json_object_put_text(&field, "default", json_ref(value));
    if (is_fine) return field;
    json_unref(field);
    return json_invalid();
}

/* What has a default need not be given. Owned. */
static json required_new(json given, json fields)
{
    json required = json_array_new(4);
    size_t count  = json_is(given, JSON_ARRAY) ? json_count(given) : 0;
    for (size_t i = 0; i < count && i < MCP_INPUT_FIELDS_MAX; i++) {
        json name  = json_at(given, i);
        json field = json_is(name, JSON_TEXT) ? json_get(fields, json_str(name)) : json_invalid();
        bool is_it = json_is(field, JSON_OBJECT) && !has(field, "default");
        if (is_it) json_array_push(&required, json_ref(name));
    }
    return required;
}

/* Of objects with these members and no others. Takes both. */
static json form_of(json fields, json required)
{
    json form = json_object_new(4);
    json_object_put_text(&form, "type", json_text_from("object"));
    json_object_put_text(&form, "properties", fields);
    json_object_put_text(&form, "required", required);
    json_object_put_text(&form, "additionalProperties", json_bool(false));
    return form;
}

static status form_new(str name, json params, json *ret_form, struct error *reterr)
{
    json schema = json_get_text(params, "requestedSchema");
    json given  = json_get_text(schema, "properties");
    if (is_url_mode(params)) {
        *ret_form = form_of(json_object_new(0), json_array_new(0));
        return STATUS_OK;
    }
    if (!json_is(given, JSON_OBJECT) || json_count(given) > MCP_INPUT_FIELDS_MAX) {
        return refuse(reterr, "the form", name, "has no flat schema of an object");
    }
    CLEANUP(json_unrefp) json fields = json_object_new(json_count(given));
    for (size_t i = 0; i < json_count(given); i++) {
        json field = field_new(json_value_at(given, i));
        if (json_is(field, JSON_INVALID) || !is_name(json_key_at(given, i))) {
            json_unref(field);
            return refuse(reterr, "the field", json_key_at(given, i),
                          "of a form is no text, number, truth value or choice");
        }
        json_object_put(&fields, json_key_at(given, i), field);
    }
    json required = required_new(json_get_text(schema, "required"), fields);
    *ret_form     = form_of(json_take(&fields), required);
    return STATUS_OK;
}

/* Of several requests: an object of their answers by name; of one of them its own. */
static status forms_new(json requests, json *ret_form, struct error *reterr)
{
    if (json_count(requests) == 1) {
        return form_new(json_key_at(requests, 0),
                        json_get_text(json_value_at(requests, 0), "params"), ret_form, reterr);
    }
    CLEANUP(json_unrefp) json fields   = json_object_new(json_count(requests));
    CLEANUP(json_unrefp) json required = json_array_new(json_count(requests));
    for (size_t i = 0; i < json_count(requests); i++) {
        str name    = json_key_at(requests, i);
        json params = json_get_text(json_value_at(requests, i), "params");
        json form   = json_invalid();
        if (is_url_mode(params)) continue;
        TRY(form_new(name, params, &form, reterr));
        if (json_count(json_get_text(form, "required")) > 0) {
            json_array_push(&required, json_text_new(name));
        }
        json_object_put(&fields, name, form);
    }
    *ret_form = form_of(json_take(&fields), json_take(&required));
    return STATUS_OK;
}

/* --- questions ----------------------------------------------------------------------------------
 */

static void put_request(json params, json *to)
{
    json message = json_get_text(params, "message");
    json address = json_get_text(params, "url");
    bool is_url  = is_url_mode(params);
    struct url url;
    json_object_put_text(to, "message", clean_new(message, MCP_INPUT_MESSAGE_MAX, true));
    json_object_put_text(to, "mode", json_text_from(is_url ? "url" : "form"));
    if (!is_url || !is_address(address, &url)) return;
    json_object_put_text(to, "url", json_ref(address));
    json_object_put_text(to, "host", json_text_new(url.host));
    if (url_is_disguised(&url)) json_object_put_text(to, "warning", json_text_from(DISGUISED));
}

static json payload_new(json requests, const struct mcp_asker *asker)
{
    json payload = json_object_new(6);
    json list    = json_array_new(2);
    json_object_put_text(&payload, "server", json_text_lossy(asker->server));
    if (asker->tool.len > 0) json_object_put_text(&payload, "tool", json_text_lossy(asker->tool));
    for (size_t i = 0; i < json_count(requests); i++) {
        json one = json_object_new(5);
        json_object_put_text(&one, "name", json_text_new(json_key_at(requests, i)));
        put_request(json_get_text(json_value_at(requests, i), "params"), &one);
        json_array_push(&list, one);
    }
    if (json_count(requests) > 1) {
        json_object_put_text(&payload, "requests", list);
        return payload;
    }
    json_unref(list);
    put_request(json_get_text(json_value_at(requests, 0), "params"), &payload);
    return payload;
}

status mcp_input_question(json requests, const struct mcp_asker *asker, json *ret_question,
                          struct error *reterr)
{
    CLEANUP(buf_done) struct buf title = buf_init(TITLE_MAX + 40);
    json form                          = json_invalid();
    TRY(check_requests(requests, reterr));
    TRY(forms_new(requests, &form, reterr));
    put_clean(asker->server, TITLE_MAX, false, &title);
    (void)buf_put_text(&title, " asks for input");
    json question = json_object_new(3);
    json_object_put_text(&question, "title", json_text_lossy(buf_str(&title)));
    json_object_put_text(&question, "payload", payload_new(requests, asker));
    json_object_put_text(&question, "form", form);
    *ret_question = question;
    return STATUS_OK;
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* With what was left out. Owned. */
static json filled_new(json form, json data)
{
    json fields = json_get_text(form, "properties");
    json filled = json_is(data, JSON_OBJECT) ? json_ref(data) : json_object_new(4);
    for (size_t i = 0; i < json_count(fields); i++) {
        json value = json_get_text(json_value_at(fields, i), "default");
        str name   = json_key_at(fields, i);
        bool is_in = !json_is(json_get(filled, name), JSON_INVALID);
        if (!is_in && !json_is(value, JSON_INVALID)) {
            json_object_put(&filled, name, json_ref(value));
        }
    }
    return filled;
}

static status accept(str name, json params, json data, json *ret_response, struct error *reterr)
{
    CLEANUP(json_unrefp) json form  = json_invalid();
    CLEANUP(json_unrefp) json given = json_invalid();
    if (!is_url_mode(params)) {
        TRY(form_new(name, params, &form, reterr));
        given = filled_new(form, data);
        TRY(check(form, given, reterr));
    }
    *ret_response = json_object_new(2);
    json_object_put_text(ret_response, "action", json_text_from("accept"));
    if (json_is(given, JSON_OBJECT)) {
        json_object_put_text(ret_response, "content", json_take(&given));
    }
    return STATUS_OK;
}

static json refusal_new(json data)
{
    json action    = json_get_text(data, "action");
    bool is_cancel = json_is(action, JSON_TEXT) && str_is(json_str(action), "cancel");
    json response  = json_object_new(1);
    json_object_put_text(&response, "action", json_text_from(is_cancel ? "cancel" : "decline"));
    return response;
}

status mcp_input_responses(json requests, json answer, json *ret_responses, struct error *reterr)
{
    TRY(check_requests(requests, reterr));
    CLEANUP(json_unrefp) json responses = json_object_new(json_count(requests));
    bool is_yes                         = json_is_truthy(json_get_text(answer, "approved"));
    json data                           = json_get_text(answer, "data");
    for (size_t i = 0; i < json_count(requests); i++) {
        str name      = json_key_at(requests, i);
        json params   = json_get_text(json_value_at(requests, i), "params");
        json own      = json_count(requests) == 1 ? data : json_get(data, name);
        json response = json_invalid();
        if (is_yes) {
            TRY(accept(name, params, own, &response, reterr));
        } else {
            response = refusal_new(data);
        }
        json_object_put(&responses, name, response);
    }
    *ret_responses = json_take(&responses);
    return STATUS_OK;
}

/* The messages, or what cannot be asked. */
static void put_asked(json requests, struct buf *out)
{
    struct error why = {};
    if (check_requests(requests, &why) != STATUS_OK) {
        (void)buf_put_text(out, why.text);
        return;
    }
    for (size_t i = 0; i < json_count(requests); i++) {
        json params = json_get_text(json_value_at(requests, i), "params");
        if (i > 0) (void)buf_put_text(out, "; ");
        put_clean(json_str(json_get_text(params, "message")), SAID_MAX, false, out);
    }
}

json mcp_input_asked_new(json result, struct error *ret_why)
{
    CLEANUP(buf_done) struct buf said = buf_init(ERROR_TEXT_MAX);
    json requests                     = json_get_text(result, "inputRequests");
    json state                        = json_get_text(result, "requestState");
    json asked                        = json_object_new(2);
    put_asked(requests, &said);
    (void)fail(ret_why, STATUS_FAILED_PRECONDITION, "the server asks for input: " STR_FMT,
               STR_ARG(buf_str(&said)));
    json_object_put_text(&asked, "requests",
                         json_is(requests, JSON_OBJECT) ? json_ref(requests) : json_object_new(0));
    if (json_is(state, JSON_TEXT)) json_object_put_text(&asked, "state", json_ref(state));
    return asked;
}
