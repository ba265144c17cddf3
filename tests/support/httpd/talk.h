/* What tests of the server say to it and wait for. */
#ifndef SUPPORT_HTTPD_TALK_H
#define SUPPORT_HTTPD_TALK_H

#include "support/httpd/server_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>

#define HOST   "Host: a\r\n\r\n"
#define PARK   "GET /park HTTP/1.1\r\n" HOST
#define STREAM "GET /stream HTTP/1.1\r\n" HOST
#define OK     "GET /ok HTTP/1.1\r\n" HOST

static inline void send_text(struct fixture *f, struct client *client, const char *text)
{
    client_send(f, client, str_from(text), SIZE_MAX);
}

static inline void wait_parked(struct fixture *f, size_t count)
{
    for (int i = 0; i < TURNS_MAX && f->parked_count < count; i++) loop_turn(f->loop, 1);
    assert_int_equal(f->parked_count, count);
}

static inline void wait_end(struct fixture *f, size_t count, enum httpd_why why)
{
    for (int i = 0; i < TURNS_MAX && f->end_count < count; i++) loop_turn(f->loop, 1);
    assert_int_equal(f->end_count, count);
    assert_int_equal(f->ends[(count - 1) % ENDS_MAX].why, why);
}

/* More than the kernel buffers of both sides hold. */
static inline struct buf large_text(void)
{
    struct buf text = buf_init(48 << 20);
    memset(buf_reserve(&text, 48 << 20), 'x', 48 << 20);
    buf_commit(&text, 48 << 20);
    return text;
}

#endif
