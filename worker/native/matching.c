/* Keypoints of a query and of an image that look alike, and transforms that they agree on. */

#include "kernels.h"

enum { SHORT = 64, CODE_BYTES = 16, REACHED = 8 };

/* How descriptors are coded: byte b of a code says `table[b][its value]` of eight components, from
   `starts[b]` on; `least` is what all of them have. */
typedef struct {
    const int64_t *starts;
    const float *table, *least;
} Code;

static void decoded(const Code *code, const uint8_t *bytes, float *vector) {
    float room[SHORT + REACHED];
    for (int n = 0; n < SHORT; n++)
        room[n] = code->least[n];
    for (int b = 0; b < CODE_BYTES; b++) {
        const float *part = code->table + (b * 256 + bytes[b]) * REACHED;
        float *at = room + code->starts[b];
        for (int n = 0; n < REACHED; n++)
            at[n] += part[n];
    }
    for (int n = 0; n < SHORT; n++)
        vector[n] = room[n];
}

static inline float apart(const float *a, const float *b) {
    float sum = 0;
    for (int n = 0; n < SHORT; n++)
        sum += (a[n] - b[n]) * (a[n] - b[n]);
    return sum;
}

/* Pair a query's descriptors with an image's that lie in near cells and within reach.

   `words` are the image's: a cell of the first half times `cells`, and one of the second. `first`
   and `second` (cells, marks): a bit for each of the query's descriptors that has the cell among
   its near ones. `vectors` (query, 64), `reach`: squared. Writes at most `room` pairs: `rows` of
   the query, `columns` of the image, `distances`, squared. Returns how many there are. */
EXPORT int64_t needle_pairs(const int64_t *words, int64_t count, int64_t cells,
                            const uint64_t *first, const uint64_t *second, int64_t marks,
                            const uint8_t *codes, const int64_t *starts, const float *table,
                            const float *least, const float *vectors, const float *reach,
                            int64_t *rows, int64_t *columns, float *distances, int64_t room) {
    const Code code = {starts, table, least};
    int64_t found = 0;
    for (int64_t n = 0; n < count; n++) {
        if (words[n] < 0 || words[n] / cells >= cells)
            continue; /* no such word */
        const uint64_t *one = first + words[n] / cells * marks;
        const uint64_t *other = second + words[n] % cells * marks;
        float vector[SHORT];
        int known = 0;
        for (int64_t mark = 0; mark < marks; mark++) {
            uint64_t both = one[mark] & other[mark];
            for (; both; both &= both - 1) {
                const int64_t row = mark * 64 + __builtin_ctzll(both);
                if (!known) {
                    decoded(&code, codes + n * CODE_BYTES, vector);
                    known = 1;
                }
                const float distance = apart(vectors + row * SHORT, vector);
                if (!(distance < reach[row]))
                    continue;
                if (found < room) {
                    rows[found] = row;
                    columns[found] = n;
                    distances[found] = distance;
                }
                found++;
            }
        }
    }
    return found;
}

/* Tell which pairs roughly agree with the transform that each of the first `tried` proposes.

   A pair leads from `source` to `target` (count, 2), and says how far the picture is `turned`
   (degrees, 0..360) and, as `growth` (count, 3), how it grows: times cosine and sine of its turn,
   and the logarithm. Writes `close` (tried, count), and how many they are into `votes`. */
EXPORT void needle_votes(const float *source, const float *target, const float *turned,
                         const float *growth, int64_t count, int64_t tried, float most_turned,
                         float most_grown, uint8_t *close, int64_t *votes) {
    for (int64_t own = 0; own < tried; own++) {
        const float a = growth[3 * own], b = growth[3 * own + 1], log_growth = growth[3 * own + 2];
        const float x0 = source[2 * own], y0 = source[2 * own + 1];
        const float to_x = target[2 * own], to_y = target[2 * own + 1], turn = turned[own];
        uint8_t *agree = close + own * count;
        int64_t sum = 0;
        for (int64_t n = 0; n < count; n++) {
            const float across = source[2 * n] - x0, down = source[2 * n + 1] - y0;
            const float x = a * across - b * down, y = b * across + a * down;
            const float off_x = x + to_x - target[2 * n], off_y = y + to_y - target[2 * n + 1];
            /* One keypoint tells turn and scale roughly: who lies farther may be farther off. */
            const float allowed = 4.0f + 0.2f * __builtin_sqrtf(x * x + y * y);
            const float round = __builtin_fabsf(turned[n] - turn);
            const float grown = __builtin_fabsf(growth[3 * n + 2] - log_growth);
            const int agrees = (off_x * off_x + off_y * off_y < allowed * allowed) &
                               (smaller(round, 360.0f - round) < most_turned) &
                               (grown < most_grown);
            agree[n] = (uint8_t)agrees;
            sum += agrees;
        }
        votes[own] = sum;
    }
}
