#include "scheduler/services/page_token.h"

#include "base/hash.h"

static void digest_of(bytes filters, uint8_t ret_digest[static PAGE_FILTERS_SIZE])
{
    uint8_t whole[SHA256_SIZE];
    sha256(filters, whole);
    memcpy(ret_digest, whole, PAGE_FILTERS_SIZE);
}

const char *page_token_new(bytes filters, bytes place, struct arena *arena)
{
    size_t size   = PAGE_FILTERS_SIZE + place.len;
    uint8_t *data = arena_alloc(arena, size);
    char *text    = arena_alloc(arena, 2 * size + 1);
    if (!data || !text) return NULL;

    digest_of(filters, data);
    if (place.len > 0) memcpy(data + PAGE_FILTERS_SIZE, place.ptr, place.len);
    hex_encode(data, size, text);
    return text;
}

static status refuse(struct error *reterr, const char *why)
{
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_page_token",
                     "page_token: %s; start again without it", why);
}

status page_token_read(str token, bytes filters, struct arena *arena, bytes *ret_place,
                       struct error *reterr)
{
    size_t size = token.len / 2;
    if (token.len % 2 != 0 || size <= PAGE_FILTERS_SIZE ||
        size > PAGE_FILTERS_SIZE + PAGE_PLACE_MAX) {
        return refuse(reterr, "not one of ours");
    }
    uint8_t *data = arena_alloc(arena, size);
    if (!data) return refuse(reterr, "too long");
    if (!hex_decode(token, data, size)) return refuse(reterr, "not one of ours");

    uint8_t digest[PAGE_FILTERS_SIZE];
    digest_of(filters, digest);
    if (memcmp(digest, data, PAGE_FILTERS_SIZE) != 0) {
        return refuse(reterr, "it belongs to a list with other filters");
    }
    *ret_place = (bytes){data + PAGE_FILTERS_SIZE, size - PAGE_FILTERS_SIZE};
    return STATUS_OK;
}

status page_size_read(uint32_t size, uint32_t *ret_size, struct error *reterr)
{
    if (size > PAGE_SIZE_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "page_size: %u; at most %d", size, PAGE_SIZE_MAX);
    }
    *ret_size = size > 0 ? size : PAGE_SIZE_DEFAULT;
    return STATUS_OK;
}
