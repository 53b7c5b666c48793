/* What programs in C do: sort, hash, parse, compress, multiply. Each returns a sum that depends on all of it. */
typedef unsigned int u32;
typedef unsigned char u8;

static u32 seed;

static u32 next(void) {
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* --- sorting through a comparison -------------------------------------------------------------------------------- */
static u32 numbers[60000];

static int less(const u32 *a, const u32 *b) { return *a < *b; }

static void quick(u32 *from, u32 *to, int (*before)(const u32 *, const u32 *)) {
    while (to - from > 1) {
        u32 pivot = from[(to - from) / 2], *low = from, *high = to - 1;
        while (low <= high) {
            while (before(low, &pivot)) low++;
            while (before(&pivot, high)) high--;
            if (low <= high) {
                u32 kept = *low;
                *low++ = *high;
                *high-- = kept;
            }
        }
        quick(from, high + 1, before);
        from = low;
    }
}

u32 sort(void) {
    u32 sum = 0;
    seed = 1;
    for (int i = 0; i < 60000; i++) numbers[i] = next();
    quick(numbers, numbers + 60000, less);
    for (int i = 0; i < 60000; i += 100) sum = sum * 31 + numbers[i];
    return sum;
}

/* --- a table of words -------------------------------------------------------------------------------------------- */
struct entry { char word[12]; u32 length, count; };
static struct entry table[16384];

static int same(const char *a, const char *b, u32 length) {
    for (u32 i = 0; i < length; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

u32 hash(void) {
    u32 sum = 0;
    seed = 2;
    for (int i = 0; i < 16384; i++) table[i].length = 0;
    for (int i = 0; i < 120000; i++) {
        char word[12];
        u32 length = 3 + next() % 3, key = 2166136261u;
        for (u32 j = 0; j < length; j++) {
            word[j] = (char)('a' + next() % 5);
            key = (key ^ (u8)word[j]) * 16777619;
        }
        struct entry *at = &table[key & 16383];
        while (at->length && !(at->length == length && same(at->word, word, length)))
            at = at == &table[16383] ? table : at + 1;
        if (!at->length) {
            at->length = length;
            at->count = 0;
            for (u32 j = 0; j < length; j++) at->word[j] = word[j];
        }
        at->count++;
    }
    for (int i = 0; i < 16384; i++) sum = sum * 31 + table[i].count;
    return sum;
}

/* --- text: written, parsed, compressed --------------------------------------------------------------------------- */
static char text[400000];
static u8 packed[500000];
static u32 heads[65536];

static u32 write_text(void) {
    u32 at = 0;
    seed = 3;
    while (at < 390000) {
        u32 kind = next() % 6;
        if (kind == 0) text[at++] = '{';
        else if (kind == 1) text[at++] = '}';
        else if (kind == 2) {
            text[at++] = '"';
            for (u32 n = next() % 9; n; n--) text[at++] = (char)('a' + next() % 6);
            text[at++] = '"';
        } else if (kind == 3) text[at++] = ',';
        else if (kind == 4) text[at++] = ' ';
        else
            for (u32 n = next() % 7 + 1; n; n--) text[at++] = (char)('0' + next() % 10);
    }
    return at;
}

u32 parse(void) {
    u32 end = write_text(), at = 0, depth = 0, sum = 0, strings = 0;
    while (at < end) {
        char c = text[at++];
        if (c == '{') depth++;
        else if (c == '}') depth -= depth > 0;
        else if (c == '"') {
            u32 start = at;
            while (at < end && text[at] != '"') at++;
            strings += at - start;
            at++;
        } else if (c >= '0' && c <= '9') {
            u32 value = (u32)(c - '0');
            while (at < end && text[at] >= '0' && text[at] <= '9') value = value * 10 + (u32)(text[at++] - '0');
            sum = sum * 31 + value + depth;
        }
    }
    return sum + strings;
}

u32 compress(void) {
    u32 end = write_text(), at = 0, out = 0, sum = 0;
    for (int i = 0; i < 65536; i++) heads[i] = 0;
    while (at + 4 < end) {
        u32 key = ((u8)text[at] | (u32)(u8)text[at + 1] << 8 | (u32)(u8)text[at + 2] << 16) * 2654435761u >> 16;
        u32 before = heads[key], length = 0;
        heads[key] = at + 1;
        if (before--)
            while (at + length < end && length < 255 && text[before + length] == text[at + length]) length++;
        if (length > 3) {
            packed[out++] = (u8)length;
            packed[out++] = (u8)(at - before);
            packed[out++] = (u8)((at - before) >> 8);
            at += length;
        } else packed[out++] = (u8)text[at++];
    }
    for (u32 i = 0; i < out; i++) sum = sum * 31 + packed[i];
    return sum;
}

/* --- matrices ---------------------------------------------------------------------------------------------------- */
static double left[120][120], right[120][120], product[120][120];

u32 multiply(void) {
    u32 sum = 0;
    seed = 4;
    for (int i = 0; i < 120; i++)
        for (int j = 0; j < 120; j++) {
            left[i][j] = next() % 100;
            right[i][j] = next() % 100;
        }
    for (int i = 0; i < 120; i++)
        for (int j = 0; j < 120; j++) {
            double found = 0;
            for (int k = 0; k < 120; k++) found += left[i][k] * right[k][j];
            product[i][j] = found;
        }
    for (int i = 0; i < 120; i++) sum = sum * 31 + (u32)product[i][119 - i];
    return sum;
}

/* As an allocator would: so nothing can be known of how long the memory is. */
int grow(void) { return (int)__builtin_wasm_memory_grow(0, 1); }
