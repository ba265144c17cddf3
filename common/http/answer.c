/* The status line and headers of an answer; and the public ways to read them. */
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_internal.h"

#include <stdlib.h>
#include <strings.h>

void answer_reset(struct answer *answer, size_t headers_max)
{
    answer_clear(answer);
    *answer = (struct answer){.text = buf_init(headers_max)};
}

void answer_clear(struct answer *answer)
{
    buf_done(&answer->text);
    free(answer->headers);
    answer->headers = NULL;
}

/* "HTTP/1.1 200 OK" or "HTTP/2 200": libcurl has checked the form. */
static int parse_status(str line)
{
    const char *space = memchr(line.ptr, ' ', line.len);
    str digits = space ? str_trim(str_slice(line, (size_t)(space - line.ptr), line.len), " \t\r\n")
                       : (str){};
    int http_status = 0;
    for (size_t i = 0; i < 3 && i < digits.len; i++) {
        http_status = http_status * 10 + (digits.ptr[i] - '0');
    }
    return http_status;
}

static size_t count_lines(str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += text.ptr[i] == '\n';
    return count + 1;
}

/* Lines without a colon, such as folded ones, are left out. Just as many as there are: thousands of
 * streams keep theirs. */
static void split_headers(struct answer *answer)
{
    str rest        = buf_str(&answer->text);
    size_t lines    = count_lines(rest);
    answer->headers = mem_new(lines < HTTP_HEADER_COUNT_MAX ? lines : HTTP_HEADER_COUNT_MAX,
                              sizeof answer->headers[0]);
    while (rest.len > 0 && answer->header_count < HTTP_HEADER_COUNT_MAX) {
        const char *end   = memchr(rest.ptr, '\n', rest.len);
        size_t len        = end ? (size_t)(end - rest.ptr) + 1 : rest.len;
        const char *colon = memchr(rest.ptr, ':', len);
        if (colon && rest.ptr[0] != ' ' && rest.ptr[0] != '\t') {
            size_t name_len                         = (size_t)(colon - rest.ptr);
            answer->headers[answer->header_count++] = (struct http_header){
                .name  = str_slice(rest, 0, name_len),
                .value = str_trim(str_slice(rest, name_len + 1, len), " \t\r\n"),
            };
        }
        rest = str_slice(rest, len, rest.len);
    }
}

bool answer_line(struct answer *answer, str line)
{
    answer->header_bytes += line.len; /* of interim answers and trailers too */
    if (answer->header_bytes > answer->text.len_max) return false;
    if (answer->is_complete) return true; /* a trailer: not used */

    if (str_starts_with(line, str_from("HTTP/"))) { /* a new head; the one before was interim */
        buf_clear(&answer->text);
        answer->http_status = parse_status(line);
        return true;
    }
    if (str_trim(line, " \t\r\n").len > 0) return buf_put_str(&answer->text, line);
    if (answer->http_status >= 200 || answer->http_status == 101) {
        split_headers(answer);
        answer->is_complete = true;
    }
    return true;
}

struct http_answer answer_view(const struct http_call *call)
{
    const struct answer *answer = &call->answer;
    return (struct http_answer){
        .http_status  = answer->is_complete ? answer->http_status : 0,
        .headers      = answer->headers,
        .header_count = answer->header_count,
        .url          = call->request.url,
    };
}

bool http_answer_header(const struct http_answer *answer, const char *name, str *ret_value)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < answer->header_count; i++) {
        const struct http_header *header = &answer->headers[i];
        if (header->name.len == len && strncasecmp(header->name.ptr, name, len) == 0) {
            *ret_value = header->value;
            return true;
        }
    }
    return false;
}
