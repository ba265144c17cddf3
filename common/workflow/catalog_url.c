#include "workflow/catalog_url.h"

#include "base/attr.h"

enum { SEGMENTS_MAX = 32 /* of a page's path that are looked at */ };

#define GITHUB     "https://github.com/"
#define GITHUB_RAW "https://raw.githubusercontent.com/"
#define GITLAB     "https://gitlab.com/"

static str without_tail(str url)
{
    size_t len = 0;
    while (len < url.len && url.ptr[len] != '?' && url.ptr[len] != '#') len++;
    while (len > 0 && url.ptr[len - 1] == '/') len--;
    return str_slice(url, 0, len);
}

/* Splits at `/`; empty segments are left out. */
static size_t split(str path, str segments[static SEGMENTS_MAX])
{
    size_t count = 0;
    for (size_t at = 0; at < path.len && count < SEGMENTS_MAX;) {
        const char *end = memchr(path.ptr + at, '/', path.len - at);
        size_t to       = end ? (size_t)(end - path.ptr) : path.len;
        if (to > at) segments[count++] = str_slice(path, at, to);
        at = to + 1;
    }
    return count;
}

static bool is_view(str segment)
{
    return str_is(segment, "tree") || str_is(segment, "blob") || str_is(segment, "raw");
}

/* What follows `segment` in `url`. */
static str after(str url, str segment)
{
    size_t end = (size_t)(segment.ptr - url.ptr) + segment.len;
    return end < url.len ? str_slice(url, end + 1, url.len) : (str){};
}

/* github.com/<owner>/<repository>[/tree|blob|raw/<ref>[/<path>]] */
static bool put_github(str url, bool is_folder, struct buf *out)
{
    str segments[SEGMENTS_MAX];
    size_t count  = split(str_slice(url, strlen(GITHUB), url.len), segments);
    bool has_ref  = count >= 4 && is_view(segments[2]);
    bool is_whole = count == 2 && is_folder;
    if (!has_ref && !is_whole) return buf_put_str(out, url);
    str repository = segments[1];
    if (repository.len > 4 && memcmp(repository.ptr + repository.len - 4, ".git", 4) == 0) {
        repository.len -= 4;
    }
    str ref = has_ref ? after(url, segments[2]) : str_from("HEAD");
    return buf_printf(out, GITHUB_RAW STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(segments[0]),
                      STR_ARG(repository), STR_ARG(ref));
}

/* <host>/<groups>/<project>[/-/tree|blob|raw/<ref>[/<path>]], wherever it is hosted. */
static bool put_gitlab(str url, bool is_folder, struct buf *out)
{
    static const char *const views[] = {"/-/tree/", "/-/blob/", "/-/raw/"};
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        const char *at = memmem(url.ptr, url.len, views[i], strlen(views[i]));
        if (!at) continue;
        size_t cut = (size_t)(at - url.ptr);
        return buf_put_str(out, str_slice(url, 0, cut)) && buf_put_text(out, "/-/raw/") &&
               buf_put_str(out, str_slice(url, cut + strlen(views[i]), url.len));
    }
    str segments[SEGMENTS_MAX];
    bool is_whole = is_folder && !memmem(url.ptr, url.len, "/-/", 3) &&
                    str_starts_with(url, str_from(GITLAB)) &&
                    split(str_slice(url, strlen(GITLAB), url.len), segments) >= 2;
    return buf_put_str(out, url) && (!is_whole || buf_put_text(out, "/-/raw/HEAD"));
}

static bool put_raw(str url, bool is_folder, struct buf *out)
{
    str page       = without_tail(url);
    bool is_github = str_starts_with(page, str_from(GITHUB));
    bool is_gitlab =
        str_starts_with(page, str_from(GITLAB)) || memmem(page.ptr, page.len, "/-/", 3) != NULL;
    if (is_github) return put_github(page, is_folder, out);
    return is_gitlab ? put_gitlab(page, is_folder, out) : buf_put_str(out, is_folder ? page : url);
}

bool catalog_raw_url(str url, struct buf *out)
{
    return put_raw(url, false, out);
}

bool catalog_function_url(str endpoint, str name, str version, struct buf *out)
{
    return put_raw(endpoint, true, out) &&
           buf_printf(out, "/functions/" STR_FMT "/" STR_FMT "/function.yaml", STR_ARG(name),
                      STR_ARG(version));
}

static bool is_version(str segment)
{
    return segment.len > 0 && segment.ptr[0] >= '0' && segment.ptr[0] <= '9';
}

str catalog_function_name(str url)
{
    str page       = without_tail(url);
    const char *at = memmem(page.ptr, page.len, "://", 3);
    if (at) page = str_slice(page, (size_t)(at - page.ptr) + 3, page.len);
    str segments[SEGMENTS_MAX];
    size_t count = split(page, segments);
    if (count < 2) return str_from("function"); /* a host alone */
    str last        = segments[count - 1];
    const char *dot = memrchr(last.ptr, '.', last.len);
    if (dot && dot > last.ptr) last.len = (size_t)(dot - last.ptr);
    if (!str_is(last, "function")) return last;
    size_t above = count - 2;
    while (above > 0 && is_version(segments[above])) above--;
    return above > 0 ? segments[above] : last;
}
