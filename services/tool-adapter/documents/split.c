#include "tool-adapter/documents/split.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "tool-adapter/documents/atoms.h"

#include <stdlib.h>

enum { CHUNKS_FIRST = 64 };

/* The chunk under way. */
struct open_chunk {
    size_t start, end; /* bytes; empty: there is none */
    size_t weight;
    size_t fresh;    /* its first block that is no overlap */
    size_t headings; /* where the headings begin that it ends with; `end`: it does not */
    size_t heading_block;
    bool has_words; /* something but headings and overlap */
};

struct splitter {
    const struct blocks *blocks;
    const struct split_options *options;
    size_t size, overlap; /* as weight */
    struct open_chunk open;
    size_t block; /* up to here `path` is known */
    struct chunk path;
    struct chunks *chunks;
};

void chunks_done(struct chunks *chunks)
{
    free(chunks->items);
    *chunks = (struct chunks){};
}

static size_t weight(const struct splitter *splitter, size_t start, size_t end)
{
    return atoms_weight(splitter->options->unit, str_slice(splitter->blocks->text, start, end));
}

/* --- headings -----------------------------------------------------------------------------------
 */

static void enter_heading(struct chunk *path, const struct block *heading)
{
    unsigned level = heading->level - 1U;
    for (unsigned i = level; i < HEADING_LEVELS; i++) path->headings[i] = (str){};
    path->headings[level] = heading->title;
}

/* Headings that a chunk begins with are above it, too. */
static void set_headings(struct splitter *splitter, size_t first, struct chunk *chunk)
{
    const struct blocks *blocks = splitter->blocks;
    for (; splitter->block < blocks->count; splitter->block++) {
        const struct block *block = &blocks->items[splitter->block];
        bool is_heading           = block->kind == BLOCK_HEADING;
        if (splitter->block >= first && (!is_heading || block->start >= chunk->end)) break;
        if (is_heading) enter_heading(&splitter->path, block);
    }
    for (size_t i = 0; i < HEADING_LEVELS; i++) {
        str title = splitter->path.headings[i];
        if (title.len > 0) chunk->headings[chunk->heading_count++] = title;
    }
}

/* --- chunks -------------------------------------------------------------------------------------
 */

static status add_chunk(struct splitter *splitter, size_t start, size_t end, size_t first,
                        struct error *reterr)
{
    struct chunks *chunks = splitter->chunks;
    if (chunks->count == SPLIT_CHUNKS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the document has more than %d chunks: make them larger", SPLIT_CHUNKS_MAX);
    }
    if (chunks->count == chunks->capacity) {
        chunks->capacity = chunks->capacity ? chunks->capacity * 2 : CHUNKS_FIRST;
        chunks->items    = mem_resize(chunks->items, chunks->capacity, sizeof *chunks->items);
    }
    struct chunk *chunk = &chunks->items[chunks->count++];
    *chunk              = (struct chunk){.start = start, .end = end};
    set_headings(splitter, first, chunk);
    return STATUS_OK;
}

/* The beginning of a word that is at most `most` (weight) in front of `end`, and not in front of
 * `from`; `end` if there is none. */
static size_t word_before(const struct splitter *splitter, size_t end, size_t from, size_t most)
{
    const char *text = splitter->blocks->text.ptr;
    size_t best      = end;
    size_t at        = end;
    while (at > from) {
        size_t before = at - 1;
        while (before > from && ((uint8_t)text[before] & 0xC0) == 0x80) before--;
        size_t size = splitter->options->unit == SPLIT_TOKENS ? at - before : 1;
        if (size > most) break;
        most -= size;
        bool is_space = text[before] == ' ' || text[before] == '\n';
        bool is_begin = before == from || text[before - 1] == ' ' || text[before - 1] == '\n';
        if (!is_space && is_begin) best = before;
        at = before;
    }
    return best;
}

/* What overlaps begins here at the earliest: behind what is kept whole, and behind headings. */
static size_t overlap_floor(const struct splitter *splitter, const struct atom *atom, size_t from)
{
    const struct block *items = splitter->blocks->items;
    const struct block *own   = &items[atom->block];
    if (own->kind != BLOCK_PARAGRAPH && atom->start > own->start) return atom->start;
    for (size_t i = atom->block; i > 0 && items[i - 1].end > from; i--) {
        if (items[i - 1].kind != BLOCK_PARAGRAPH) return items[i - 1].end;
    }
    return from;
}

/* Where the next chunk begins that goes on with `atom`: some of the one before comes with it, if
 * it fits. */
static size_t overlap_start(const struct splitter *splitter, const struct atom *atom, size_t from)
{
    size_t own  = weight(splitter, atom->start, atom->end);
    size_t room = splitter->size > own ? splitter->size - own : 0;
    size_t most = splitter->overlap < room ? splitter->overlap : room;
    return word_before(splitter, atom->start, overlap_floor(splitter, atom, from), most);
}

static bool is_heading(const struct splitter *splitter, size_t block)
{
    return splitter->blocks->items[block].kind == BLOCK_HEADING;
}

static void begin_chunk(struct splitter *splitter, size_t start, const struct atom *atom)
{
    bool is_title  = is_heading(splitter, atom->block);
    splitter->open = (struct open_chunk){.start         = start,
                                         .end           = atom->end,
                                         .weight        = weight(splitter, start, atom->end),
                                         .fresh         = atom->block,
                                         .headings      = is_title ? atom->start : atom->end,
                                         .heading_block = atom->block,
                                         .has_words     = !is_title};
}

/* What lies between two atoms counts, too. */
static size_t joined_weight(const struct splitter *splitter, const struct atom *atom)
{
    return splitter->open.weight + weight(splitter, splitter->open.end, atom->end);
}

static void extend_chunk(struct splitter *splitter, const struct atom *atom, size_t joined)
{
    struct open_chunk *open = &splitter->open;
    bool ended_with_title   = open->headings < open->end;
    bool is_title           = is_heading(splitter, atom->block);
    if (is_title && !ended_with_title) {
        open->headings      = atom->start;
        open->heading_block = atom->block;
    }
    open->end    = atom->end;
    open->weight = joined;
    if (is_title) return;
    open->headings  = atom->end;
    open->has_words = true;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Ends the chunk. Headings at its end go with `atom`, which does not fit any more. */
static status next_chunk(struct splitter *splitter, const struct atom *atom, bool is_section,
                         struct error *reterr)
{
    struct open_chunk open = splitter->open;
    bool carries           = open.headings < open.end && open.has_words;
    size_t end             = carries ? open.headings : open.end;
    while (end > open.start && is_blank(splitter->blocks->text.ptr[end - 1])) end--;
    TRY(add_chunk(splitter, open.start, end, open.fresh, reterr));
    if (carries && weight(splitter, open.headings, atom->end) <= splitter->size) {
        struct atom titles = *atom;
        titles.block       = open.heading_block;
        begin_chunk(splitter, open.headings, &titles);
        splitter->open.has_words = !is_heading(splitter, atom->block);
        splitter->open.headings  = splitter->open.has_words ? atom->end : open.headings;
        return STATUS_OK;
    }
    if (carries) TRY(add_chunk(splitter, open.headings, open.end, open.heading_block, reterr));
    bool is_alone = is_section || carries || is_heading(splitter, atom->block);
    begin_chunk(splitter, is_alone ? atom->start : overlap_start(splitter, atom, open.start), atom);
    return STATUS_OK;
}

static status take(struct splitter *splitter, const struct atom *atom, struct error *reterr)
{
    const struct open_chunk *open = &splitter->open;
    if (open->end == open->start) {
        begin_chunk(splitter, atom->start, atom);
        return STATUS_OK;
    }
    bool is_section = splitter->options->by == SPLIT_HEADINGS && open->has_words &&
                      is_heading(splitter, atom->block);
    size_t joined = joined_weight(splitter, atom);
    if (!is_section && joined <= splitter->size) {
        extend_chunk(splitter, atom, joined);
        return STATUS_OK;
    }
    return next_chunk(splitter, atom, is_section, reterr);
}

static status check(const struct split_options *options, struct error *reterr)
{
    if (options->size < SPLIT_SIZE_MIN || options->size > SPLIT_SIZE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`size` must be from %d to %d", SPLIT_SIZE_MIN,
                    SPLIT_SIZE_MAX);
    }
    if (options->overlap > options->size / 2) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`overlap` must be at most half of `size`");
    }
    return STATUS_OK;
}

status split_blocks(const struct blocks *blocks, const struct split_options *options,
                    struct chunks *ret_chunks, struct error *reterr)
{
    size_t factor            = options->unit == SPLIT_TOKENS ? SPLIT_TOKEN : 1;
    struct splitter splitter = {.blocks  = blocks,
                                .options = options,
                                .size    = options->size * factor,
                                .overlap = options->overlap * factor,
                                .chunks  = ret_chunks};
    struct atoms atoms       = atoms_of(blocks, options);
    struct atom atom         = {};
    *ret_chunks              = (struct chunks){};
    TRY(check(options, reterr));
    while (atoms_next(&atoms, &atom)) TRY(take(&splitter, &atom, reterr));
    const struct open_chunk *open = &splitter.open;
    if (open->end == open->start) return STATUS_OK;
    return add_chunk(&splitter, open->start, open->end, open->fresh, reterr);
}
