/**
 * json_write: JSON written straight into a buffer, for answers that are never a tree.
 *
 *     struct json_writer w = json_writer_init(&out);
 *     json_begin_object(&w);
 *     json_member(&w, "id");
 *     json_write_text(&w, id);
 *     json_end_object(&w);
 *
 * Commas and quotes are the writer's. A full buffer shows as `out->is_full`. Asserts that members
 * and values alternate; at most JSON_WRITER_DEPTH_MAX levels.
 */
#ifndef JSON_JSON_WRITE_H
#define JSON_JSON_WRITE_H

#include "base/buf.h"
#include "json/json.h"

enum { JSON_WRITER_DEPTH_MAX = 32 };

struct json_writer {
    struct buf *out; /* borrowed */
    uint32_t depth;
    bool has_member[JSON_WRITER_DEPTH_MAX];
    bool after_key;
};

static inline struct json_writer json_writer_init(struct buf *out)
{
    return (struct json_writer){.out = out};
}

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_member(struct json_writer *writer, const char *key);
void json_member_str(struct json_writer *writer, str key);

void json_write_null(struct json_writer *writer);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_int(struct json_writer *writer, int64_t value);
void json_write_text(struct json_writer *writer, str text);
void json_write_value(struct json_writer *writer, json value);
void json_write_time(struct json_writer *writer, int64_t unix_us); /* RFC 3339, milliseconds */
/** A document that is known to be JSON, as it is: what came out of the store. */
void json_write_raw(struct json_writer *writer, str document);
/** Members of an object as they are spelled, at least one, with commas between them. */
void json_write_members(struct json_writer *writer, str members);

/* Member and value in one line: what most answers are made of. */
void json_put_text(struct json_writer *writer, const char *key, str text);
/** A member that is an array of texts. */
void json_put_texts(struct json_writer *writer, const char *key, const char *const *texts,
                    size_t count);
void json_put_int(struct json_writer *writer, const char *key, int64_t value);
void json_put_bool(struct json_writer *writer, const char *key, bool value);
void json_put_time(struct json_writer *writer, const char *key, int64_t unix_us);
void json_put_raw(struct json_writer *writer, const char *key, str document);

#endif
