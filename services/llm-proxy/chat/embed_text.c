#include "llm-proxy/chat/embed_text.h"

#include "base/assert.h"
#include "base/hash.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 32, TOKENS_TEXT_MAX = 4 << 20 /* bytes of one input */ };

/* --- reading -----------------------------------------------------------------------------------
 */

static status invalid(struct error *reterr, const char *pointer, const char *expected)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: %s", pointer, expected);
}

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

/* A token's number; no vocabulary has as many. */
static bool is_token(json value)
{
    int64_t token = 0;
    return json_to_int(value, &token) && token >= 0 && token <= INT32_MAX;
}

static bool is_tokens(json value)
{
    size_t count = json_is(value, JSON_ARRAY) ? json_count(value) : 0;
    size_t i     = 0;
    while (i < count && is_token(json_at(value, i))) i++;
    return count > 0 && i == count;
}

/* Equal tokens are equal texts. */
static bool keep_tokens(struct arena *arena, json tokens, str *ret_input)
{
    CLEANUP(buf_done) struct buf text = buf_init(TOKENS_TEXT_MAX);
    if (!json_print(tokens, JSON_COMPACT, &text)) return false;
    *ret_input = (str){.ptr = arena_strdup(arena, buf_str(&text)), .len = text.len};
    return ret_input->ptr != NULL;
}

static status read_input(struct chat_request *request, json value, struct error *reterr)
{
    str *input   = &request->inputs[request->input_count];
    bool is_text = json_is(value, JSON_TEXT) && json_str(value).len > 0;
    if (request->has_tokens ? !is_tokens(value) : !is_text) {
        return invalid(reterr, "/input",
                       "a text, an array of tokens, or a list of one of these; none is empty");
    }
    if (!request->has_tokens) {
        *input = json_str(value);
    } else if (!keep_tokens(request->arena, value, input)) {
        return too_large(reterr);
    }
    request->input_count++;
    return STATUS_OK;
}

static status read_inputs(struct chat_request *request, json input, struct error *reterr)
{
    bool is_list        = json_is(input, JSON_ARRAY) && !is_token(json_at(input, 0));
    size_t count        = is_list ? json_count(input) : 1;
    request->has_tokens = json_is(is_list ? json_at(input, 0) : input, JSON_ARRAY);
    if (count > EMBED_INPUTS_MAX) return invalid(reterr, "/input", "at most 2,048 inputs");
    request->inputs = arena_alloc(request->arena, (count + 1) * sizeof *request->inputs);
    if (!request->inputs) return too_large(reterr);
    for (size_t i = 0; i < count; i++) {
        TRY(read_input(request, is_list ? json_at(input, i) : input, reterr));
    }
    return STATUS_OK;
}

status embed_read(json source, struct arena *arena, struct chat_request **ret_request,
                  struct error *reterr)
{
    json model      = json_get_text(source, "model");
    json dimensions = json_get_text(source, "dimensions");
    json format     = json_get_text(source, "encoding_format");
    if (!json_is(source, JSON_OBJECT)) return invalid(reterr, "", "an object is required");
    if (!json_is(model, JSON_TEXT) || json_str(model).len == 0) {
        return invalid(reterr, "/model", "a model is required");
    }
    struct chat_request *request = arena_alloc(arena, sizeof *request);
    if (!request) return too_large(reterr);
    *request = (struct chat_request){.arena = arena, .model = json_str(model)};
    TRY(read_inputs(request, json_get_text(source, "input"), reterr));
    if (!json_is(dimensions, JSON_INVALID) &&
        (!json_to_int(dimensions, &request->dimensions) || request->dimensions < 1 ||
         request->dimensions > EMBED_DIMENSIONS_MAX)) {
        return invalid(reterr, "/dimensions", "a whole number from 1 to 65,536");
    }
    if (!json_is(format, JSON_INVALID)) {
        str word              = json_is(format, JSON_TEXT) ? json_str(format) : (str){};
        request->wants_base64 = str_is(word, "base64");
        if (!request->wants_base64 && !str_is(word, "float")) {
            return invalid(reterr, "/encoding_format", "float or base64");
        }
    }
    *ret_request = request;
    return STATUS_OK;
}

/* --- writing -----------------------------------------------------------------------------------
 */

bool embed_print_request(const struct chat_request *request, str model, bool is_compact,
                         struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_text(&w, "model", model);
    json_member(&w, "input");
    json_begin_array(&w);
    for (uint32_t i = 0; i < request->input_count; i++) {
        if (request->has_tokens) {
            json_write_raw(&w, request->inputs[i]);
        } else {
            json_write_text(&w, request->inputs[i]);
        }
    }
    json_end_array(&w);
    json_put_text(&w, "encoding_format", str_from(is_compact ? "base64" : "float"));
    if (request->dimensions > 0) json_put_int(&w, "dimensions", request->dimensions);
    json_end_object(&w);
    return !out->is_full;
}

/* Nine digits read back as the same float32. */
static void print_vector(const char *raw, uint32_t dimensions, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < dimensions; i++) {
        char text[NUMBER_MAX];
        float value = 0;
        memcpy(&value, raw + i * sizeof value, sizeof value);
        int length = snprintf(text, sizeof text, "%.9g", (double)value);
        json_write_raw(w, (str){text, (size_t)length});
    }
    json_end_array(w);
}

static const char *vector_at(const struct answer *answer, uint32_t index)
{
    size_t size = (size_t)answer->dimensions * sizeof(float);
    ASSERT((index + 1) * size <= answer->vectors.len);
    return answer->vectors.ptr + index * size;
}

void embed_print_vectors(const struct answer *answer, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < answer->vector_count; i++) {
        print_vector(vector_at(answer, i), answer->dimensions, w);
    }
    json_end_array(w);
}

/* float32, little endian: what this is compiled for has the same in memory. */
static void print_base64(const char *raw, uint32_t dimensions, struct json_writer *w)
{
    size_t size                       = (size_t)dimensions * sizeof(float);
    size_t length                     = base64_size(size);
    CLEANUP(buf_done) struct buf text = buf_init(length + 1);
    char *place                       = buf_reserve(&text, length);
    ASSERT(place);
    base64_encode(raw, size, place);
    buf_commit(&text, length);
    json_write_text(w, buf_str(&text));
}

void embed_print_answer(const struct answer *answer, const struct chat_request *request,
                        int64_t input_tokens, bool is_simulated, struct json_writer *w)
{
    json_begin_object(w);
    json_put_text(w, "object", str_from("list"));
    json_member(w, "data");
    json_begin_array(w);
    for (uint32_t i = 0; i < answer->vector_count; i++) {
        json_begin_object(w);
        json_put_text(w, "object", str_from("embedding"));
        json_put_int(w, "index", i);
        json_member(w, "embedding");
        const char *raw = vector_at(answer, i);
        if (request->wants_base64) {
            print_base64(raw, answer->dimensions, w);
        } else {
            print_vector(raw, answer->dimensions, w);
        }
        json_end_object(w);
    }
    json_end_array(w);
    json_put_text(w, "model", answer->model.len > 0 ? buf_str(&answer->model) : request->model);
    json_member(w, "usage");
    json_begin_object(w);
    json_put_int(w, "prompt_tokens", input_tokens);
    json_put_int(w, "total_tokens", input_tokens);
    json_end_object(w);
    if (is_simulated) {
        json_member(w, "tutti");
        json_begin_object(w);
        json_put_bool(w, "simulated", true);
        json_end_object(w);
    }
    json_end_object(w);
}
