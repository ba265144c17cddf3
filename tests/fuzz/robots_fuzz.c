/*
 * robots.txt: the first line of the input is a path, the rest the file. Whatever it holds,
 * /robots.txt may be had and a delay is bounded.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "http/robots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                                    = {.ptr = (const char *)data, .len = size};
    const char *end                             = size > 0 ? memchr(text.ptr, '\n', size) : NULL;
    size_t line                                 = end ? (size_t)(end - text.ptr) : 0;
    CLEANUP(robots_freep) struct robots *robots = robots_read(str_slice(text, line, size), "tutti");
    ASSERT(robots_allows(robots, str_from("/robots.txt")));
    ASSERT(robots_delay_ms(robots) >= 0 && robots_delay_ms(robots) <= ROBOTS_DELAY_MAX_MS);
    (void)robots_allows(robots, str_slice(text, 0, line));
    return 0;
}
