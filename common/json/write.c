/* JSON straight into a buffer. What does not fit shows in the buffer, once, at the end. */
#include "base/assert.h"
#include "base/clock.h"
#include "json/json_text.h"
#include "json/json_write.h"

/* Whether an object is open is kept in the writer's depth alone: a key is followed by a value, and
 * `has_member` says whether a comma is due. */
static void before_value(struct json_writer *writer)
{
    if (writer->after_key) {
        writer->after_key = false;
        return;
    }
    if (writer->depth == 0) return;
    bool *has_member = &writer->has_member[writer->depth - 1];
    if (*has_member) (void)buf_put_byte(writer->out, ',');
    *has_member = true;
}

static void begin(struct json_writer *writer, char bracket)
{
    ASSERT(writer->depth < JSON_WRITER_DEPTH_MAX);
    before_value(writer);
    (void)buf_put_byte(writer->out, bracket);
    writer->has_member[writer->depth++] = false;
}

static void end(struct json_writer *writer, char bracket)
{
    ASSERT(writer->depth > 0);
    ASSERT(!writer->after_key);
    writer->depth--;
    (void)buf_put_byte(writer->out, bracket);
}

void json_begin_object(struct json_writer *writer)
{
    begin(writer, '{');
}

void json_end_object(struct json_writer *writer)
{
    end(writer, '}');
}

void json_begin_array(struct json_writer *writer)
{
    begin(writer, '[');
}

void json_end_array(struct json_writer *writer)
{
    end(writer, ']');
}

void json_member_str(struct json_writer *writer, str key)
{
    ASSERT(writer->depth > 0);
    ASSERT(!writer->after_key);
    before_value(writer);
    (void)json_print_text(key, writer->out);
    (void)buf_put_byte(writer->out, ':');
    writer->after_key = true;
}

void json_member(struct json_writer *writer, const char *key)
{
    json_member_str(writer, str_from(key));
}

void json_write_null(struct json_writer *writer)
{
    json_write_value(writer, json_null());
}

void json_write_bool(struct json_writer *writer, bool value)
{
    json_write_value(writer, json_bool(value));
}

void json_write_int(struct json_writer *writer, int64_t value)
{
    json_write_value(writer, json_int(value));
}

void json_write_text(struct json_writer *writer, str text)
{
    before_value(writer);
    (void)json_print_text(text, writer->out);
}

void json_write_value(struct json_writer *writer, json value)
{
    before_value(writer);
    (void)json_print(value, JSON_COMPACT, writer->out);
}

void json_write_time(struct json_writer *writer, int64_t unix_us)
{
    char text[TIME_TEXT_SIZE];
    time_format(unix_us, text);
    json_write_text(writer, str_from(text));
}

void json_write_raw(struct json_writer *writer, str document)
{
    ASSERT(document.len > 0);
    before_value(writer);
    (void)buf_put_str(writer->out, document);
}

void json_write_members(struct json_writer *writer, str members)
{
    ASSERT(writer->depth > 0);
    ASSERT(!writer->after_key);
    before_value(writer);
    (void)buf_put_str(writer->out, members);
}

void json_put_text(struct json_writer *writer, const char *key, str text)
{
    json_member(writer, key);
    json_write_text(writer, text);
}

void json_put_texts(struct json_writer *writer, const char *key, const char *const *texts,
                    size_t count)
{
    json_member(writer, key);
    json_begin_array(writer);
    for (size_t i = 0; i < count; i++) json_write_text(writer, str_from(texts[i]));
    json_end_array(writer);
}

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
    json_member(writer, key);
    json_write_int(writer, value);
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
    json_member(writer, key);
    json_write_bool(writer, value);
}

void json_put_time(struct json_writer *writer, const char *key, int64_t unix_us)
{
    json_member(writer, key);
    json_write_time(writer, unix_us);
}

void json_put_raw(struct json_writer *writer, const char *key, str document)
{
    json_member(writer, key);
    json_write_raw(writer, document);
}
