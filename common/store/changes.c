#include "store/changes.h"

#include "base/assert.h"

void changes_clear(struct changes *changes, size_t kept_max)
{
    if (changes->buf.capacity > kept_max) buf_done(&changes->buf);
    buf_clear(&changes->buf);
    changes->mark  = 0;
    changes->named = changes->marked_named = 0;
}

static void add_name(struct changes *changes, unsigned table, const char *name)
{
    str text = str_from(name);
    ASSERT(text.len <= CHANGE_TABLE_NAME_MAX);
    changes->named |= UINT64_C(1) << table;
    (void)buf_put_byte(&changes->buf, CHANGE_NAME);
    (void)buf_put_byte(&changes->buf, (char)table);
    (void)buf_put_byte(&changes->buf, (char)text.len);
    (void)buf_put_str(&changes->buf, text);
}

bool changes_add(struct changes *changes, enum change_kind kind, unsigned table, const char *name,
                 bytes key, bytes value)
{
    ASSERT(table < STORE_TABLES_MAX);
    struct buf *buf       = &changes->buf;
    changes->mark         = buf->len;
    changes->marked_named = changes->named;
    if (!(changes->named & UINT64_C(1) << table)) add_name(changes, table, name);
    (void)buf_put_byte(buf, (char)kind);
    (void)buf_put_byte(buf, (char)table);
    (void)buf_put_u16(buf, (uint16_t)key.len);
    if (kind == CHANGE_PUT) (void)buf_put_u32(buf, (uint32_t)value.len);
    (void)buf_put(buf, key.ptr, key.len);
    if (kind == CHANGE_PUT) (void)buf_put(buf, value.ptr, value.len);
    return !buf->is_full;
}

void changes_undo(struct changes *changes)
{
    changes->buf.len = changes->mark;
    changes->named   = changes->marked_named;
}
