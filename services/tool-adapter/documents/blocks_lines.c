/* Plain text and Markdown, line by line. */
#include "tool-adapter/documents/blocks_internal.h"

enum {
    INDENT_MAX = 3, /* blanks before a mark; with more it is none (CommonMark 0.31, 4.2 to 4.5) */
    FENCE_MIN  = 3,
};

struct line {
    size_t start, end; /* without its line break */
    size_t next;
};

struct fence {
    char mark; /* 0: not in a fence */
    size_t len;
};

struct reader {
    struct blocks *blocks;
    struct block open; /* what the lines so far are; empty: nothing */
    size_t lines;      /* of a paragraph */
    struct fence fence;
};

static struct line line_at(str text, size_t start)
{
    const char *end  = memchr(text.ptr + start, '\n', text.len - start);
    size_t stop      = end ? (size_t)(end - text.ptr) : text.len;
    struct line line = {.start = start, .end = stop, .next = end ? stop + 1 : stop};
    if (line.end > start && text.ptr[line.end - 1] == '\r') line.end--;
    return line;
}

static bool is_blank(str line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r') return false;
    }
    return true;
}

/* The line without up to three blanks; false: it is indented. */
static bool without_indent(str line, str *ret_rest)
{
    size_t indent = 0;
    while (indent < line.len && line.ptr[indent] == ' ') indent++;
    *ret_rest = str_slice(line, indent, line.len);
    return indent <= INDENT_MAX && !(indent < line.len && line.ptr[indent] == '\t');
}

static size_t run_of(str text, char mark)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] == mark) len++;
    return len;
}

static bool has_only(str text, char mark)
{
    size_t len = run_of(text, mark);
    return len > 0 && is_blank(str_slice(text, len, text.len));
}

static status close_open(struct reader *reader, struct error *reterr)
{
    struct block block = reader->open;
    reader->open       = (struct block){};
    reader->lines      = 0;
    if (block.end == block.start) return STATUS_OK;
    return blocks_add(reader->blocks, block, reterr);
}

static status add_line(struct reader *reader, struct line line, struct block block,
                       struct error *reterr)
{
    TRY(close_open(reader, reterr));
    block.start = line.start;
    block.end   = line.end;
    return blocks_add(reader->blocks, block, reterr);
}

/* `## Title ##` */
static bool read_heading(str rest, struct block *block)
{
    size_t level = run_of(rest, '#');
    if (level == 0 || level > HEADING_LEVELS) return false;
    if (level < rest.len && rest.ptr[level] != ' ' && rest.ptr[level] != '\t') return false;
    str title = str_slice(rest, level, rest.len);
    while (title.len > 0 && (is_blank(str_slice(title, title.len - 1, title.len)))) title.len--;
    size_t len = title.len;
    while (len > 0 && title.ptr[len - 1] == '#') len--;
    if (len == 0 || title.ptr[len - 1] == ' ') title.len = len;
    *block = (struct block){.kind = BLOCK_HEADING, .level = (uint8_t)level, .title = title};
    return true;
}

/* ``` or ~~~, with words behind it. */
static bool begins_fence(str rest, struct fence *ret_fence)
{
    char mark  = rest.len > 0 ? rest.ptr[0] : '\0';
    size_t len = run_of(rest, mark);
    if ((mark != '`' && mark != '~') || len < FENCE_MIN) return false;
    if (mark == '`' && memchr(rest.ptr + len, '`', rest.len - len)) return false;
    *ret_fence = (struct fence){.mark = mark, .len = len};
    return true;
}

static bool ends_fence(const struct reader *reader, str rest)
{
    return run_of(rest, reader->fence.mark) >= reader->fence.len &&
           has_only(rest, reader->fence.mark);
}

static void extend(struct reader *reader, struct line line)
{
    if (reader->open.end == reader->open.start) reader->open.start = line.start;
    reader->open.end = line.end;
    reader->lines++;
}

/* A line below a paragraph of one line that makes it a heading. */
static bool is_underline(const struct reader *reader, str rest, uint8_t *ret_level)
{
    if (reader->lines != 1) return false;
    *ret_level = has_only(rest, '=') ? 1 : 2;
    return has_only(rest, '=') || has_only(rest, '-');
}

static status take_fence(struct reader *reader, struct line line, str rest, bool is_mark,
                         struct error *reterr)
{
    reader->open.end = line.end;
    if (!is_mark || !ends_fence(reader, rest)) return STATUS_OK;
    reader->fence = (struct fence){};
    return close_open(reader, reterr);
}

static status take_markdown(struct reader *reader, struct line line, struct error *reterr)
{
    str rest     = {};
    bool is_mark = without_indent(str_slice(reader->blocks->text, line.start, line.end), &rest);
    struct block heading = {};
    uint8_t level        = 0;
    if (reader->fence.mark) return take_fence(reader, line, rest, is_mark, reterr);
    if (is_blank(rest)) return close_open(reader, reterr);
    if (is_mark && begins_fence(rest, &reader->fence)) {
        TRY(close_open(reader, reterr));
        reader->open = (struct block){.start = line.start, .end = line.end, .kind = BLOCK_CODE};
        return STATUS_OK;
    }
    if (is_mark && read_heading(rest, &heading)) return add_line(reader, line, heading, reterr);
    if (is_mark && rest.ptr[0] == '|') {
        return add_line(reader, line, (struct block){.kind = BLOCK_ROW}, reterr);
    }
    if (is_mark && is_underline(reader, rest, &level)) {
        reader->open.kind  = BLOCK_HEADING;
        reader->open.level = level;
        reader->open.title = str_slice(reader->blocks->text, reader->open.start, reader->open.end);
        reader->open.end   = line.end;
        return close_open(reader, reterr);
    }
    extend(reader, line);
    return STATUS_OK;
}

static status take_text(struct reader *reader, struct line line, struct error *reterr)
{
    if (is_blank(str_slice(reader->blocks->text, line.start, line.end))) {
        return close_open(reader, reterr);
    }
    extend(reader, line);
    return STATUS_OK;
}

status blocks_read_lines(bool is_markdown, struct blocks *blocks, struct error *reterr)
{
    struct reader reader = {.blocks = blocks};
    for (size_t at = 0; at < blocks->text.len;) {
        struct line line = line_at(blocks->text, at);
        TRY(is_markdown ? take_markdown(&reader, line, reterr) : take_text(&reader, line, reterr));
        at = line.next;
    }
    return close_open(&reader, reterr);
}
