/*
 * Where to cut a stream of bytes, by its content.
 *
 * FastCDC with normalised chunking (Xia et al., USENIX ATC 2016): a gear hash
 * of the last 64 bytes is compared with a mask, a stricter one before the
 * average size and a looser one after it, so that sizes gather around the
 * average.  Where the bytes of two streams agree, their cuts do soon after,
 * wherever in the stream that is.
 *
 * Cuts depend on the bytes alone, never on how they are divided among calls,
 * and must stay as they are: another table or other sizes would share nothing
 * with what is stored.
 */
#include "postgres.h"

#include "bytes/chunker.h"

/* How many bytes the hash remembers: it is shifted once for each. */
#define WINDOW 64

/* How many times stricter, and looser, the masks are: by two bits each. */
#define NORMALISATION 2

/* The highest bits, which depend on the most bytes */
#define MASK(bits) (~UINT64CONST(0) << (64 - (bits)))
#define STRICT_MASK MASK(log2_average + NORMALISATION)
#define LOOSE_MASK MASK(log2_average - NORMALISATION)

/* 256 values of SplitMix64 from seed 0 */
static const uint64 gear[256] = {
	UINT64CONST(0xe220a8397b1dcdaf), UINT64CONST(0x6e789e6aa1b965f4),
	UINT64CONST(0x06c45d188009454f), UINT64CONST(0xf88bb8a8724c81ec),
	UINT64CONST(0x1b39896a51a8749b), UINT64CONST(0x53cb9f0c747ea2ea),
	UINT64CONST(0x2c829abe1f4532e1), UINT64CONST(0xc584133ac916ab3c),
	UINT64CONST(0x3ee5789041c98ac3), UINT64CONST(0xf3b8488c368cb0a6),
	UINT64CONST(0x657eecdd3cb13d09), UINT64CONST(0xc2d326e0055bdef6),
	UINT64CONST(0x8621a03fe0bbdb7b), UINT64CONST(0x8e1f7555983aa92f),
	UINT64CONST(0xb54e0f1600cc4d19), UINT64CONST(0x84bb3f97971d80ab),
	UINT64CONST(0x7d29825c75521255), UINT64CONST(0xc3cf17102b7f7f86),
	UINT64CONST(0x3466e9a083914f64), UINT64CONST(0xd81a8d2b5a4485ac),
	UINT64CONST(0xdb01602b100b9ed7), UINT64CONST(0xa9038a921825f10d),
	UINT64CONST(0xedf5f1d90dca2f6a), UINT64CONST(0x54496ad67bd2634c),
	UINT64CONST(0xdd7c01d4f5407269), UINT64CONST(0x935e82f1db4c4f7b),
	UINT64CONST(0x69b82ebc92233300), UINT64CONST(0x40d29eb57de1d510),
	UINT64CONST(0xa2f09dabb45c6316), UINT64CONST(0xee521d7a0f4d3872),
	UINT64CONST(0xf16952ee72f3454f), UINT64CONST(0x377d35dea8e40225),
	UINT64CONST(0x0c7de8064963bab0), UINT64CONST(0x05582d37111ac529),
	UINT64CONST(0xd254741f599dc6f7), UINT64CONST(0x69630f7593d108c3),
	UINT64CONST(0x417ef96181daa383), UINT64CONST(0x3c3c41a3b43343a1),
	UINT64CONST(0x6e19905dcbe531df), UINT64CONST(0x4fa9fa7324851729),
	UINT64CONST(0x84eb4454a792922a), UINT64CONST(0x134f7096918175ce),
	UINT64CONST(0x07dc930b302278a8), UINT64CONST(0x12c015a97019e937),
	UINT64CONST(0xcc06c31652ebf438), UINT64CONST(0xecee65630a691e37),
	UINT64CONST(0x3e84ecb1763e79ad), UINT64CONST(0x690ed476743aae49),
	UINT64CONST(0x774615d7b1a1f2e1), UINT64CONST(0x22b353f04f4f52da),
	UINT64CONST(0xe3ddd86ba71a5eb1), UINT64CONST(0xdf268adeb6513356),
	UINT64CONST(0x2098eb73d4367d77), UINT64CONST(0x03d6845323ce3c71),
	UINT64CONST(0xc952c5620043c714), UINT64CONST(0x9b196bca844f1705),
	UINT64CONST(0x30260345dd9e0ec1), UINT64CONST(0xcf448a5882bb9698),
	UINT64CONST(0xf4a578dccbc87656), UINT64CONST(0xbfdeaed9a17b3c8f),
	UINT64CONST(0xed79402d1d5c5d7b), UINT64CONST(0x55f070ab1cbbf170),
	UINT64CONST(0x3e00a34929a88f1d), UINT64CONST(0xe255b237b8bb18fb),
	UINT64CONST(0x2a7b67af6c6ad50e), UINT64CONST(0x466d5e7f3e46f143),
	UINT64CONST(0x42375cb399a4fc72), UINT64CONST(0x8c8a1f148a8bb259),
	UINT64CONST(0x32fcab5daed5bdfc), UINT64CONST(0x9e60398c8d8553c0),
	UINT64CONST(0xee89cceb8c4064c0), UINT64CONST(0xdb0215941d86a66f),
	UINT64CONST(0x5ccde78203c367a8), UINT64CONST(0xf1bcbc6a1ec11786),
	UINT64CONST(0xef054fceee954551), UINT64CONST(0xdf82012d0555c6df),
	UINT64CONST(0x292566ff72403c08), UINT64CONST(0xc4dd302a1bfa1137),
	UINT64CONST(0xd85f219db5c554e1), UINT64CONST(0x6a27ff807441bcd2),
	UINT64CONST(0x96a573e9b48216e8), UINT64CONST(0x46a9fdac40bf0048),
	UINT64CONST(0x3dd12464a0ee15b4), UINT64CONST(0x451e521296a7eea1),
	UINT64CONST(0x56e4398a98f8a0fd), UINT64CONST(0x7b7dc2160e3335a7),
	UINT64CONST(0xc679ee0bebcb1cca), UINT64CONST(0x928d6f2d7453424e),
	UINT64CONST(0x1b38994205234c6d), UINT64CONST(0x8086d193a6f2b568),
	UINT64CONST(0x21c6e26639ac2c65), UINT64CONST(0xd9dccac414d23c6f),
	UINT64CONST(0x91cd642057e00235), UINT64CONST(0x77fc607dc6589373),
	UINT64CONST(0x05b8abe26dd3aee7), UINT64CONST(0x12f6436ac376cc66),
	UINT64CONST(0x64952424897b2307), UINT64CONST(0xee8c2baf6343e5c3),
	UINT64CONST(0xdc4c613d9eba2304), UINT64CONST(0x3505b7796bd1a506),
	UINT64CONST(0x8176daf800a05f50), UINT64CONST(0x8bd8ff7a0385cdbc),
	UINT64CONST(0x1a764a3cd78101da), UINT64CONST(0xbe4d15bf6ca266ac),
	UINT64CONST(0xa85e1f38bb2dc749), UINT64CONST(0x56759a968493cd8c),
	UINT64CONST(0xf3a9bce7336bd182), UINT64CONST(0x365b15013741519b),
	UINT64CONST(0x1f7a44a6b109ac94), UINT64CONST(0x3521d628813cb177),
	UINT64CONST(0x6a77afab0f7c9370), UINT64CONST(0x179642d8cde95015),
	UINT64CONST(0x5ef102a8fb354461), UINT64CONST(0xf51c504764ed82f2),
	UINT64CONST(0xc58427f041ce6808), UINT64CONST(0xfad8fc45c9643c37),
	UINT64CONST(0xcf8682f9a70fa9c0), UINT64CONST(0x7e1b3b75a4005729),
	UINT64CONST(0x992dd867927b52d8), UINT64CONST(0x7fbd5db142f6791f),
	UINT64CONST(0x370595aacab4adae), UINT64CONST(0xb1392dbdc5ab61d6),
	UINT64CONST(0x9fea7dfc79d452d9), UINT64CONST(0x40b12b120085641c),
	UINT64CONST(0xa192afe3157c85d0), UINT64CONST(0xc847729f4e08f3a3),
	UINT64CONST(0x6f1384a306c41fc2), UINT64CONST(0x12d05c4045a39c19),
	UINT64CONST(0x9899202fd20f0841), UINT64CONST(0xe9c7191857e774b8),
	UINT64CONST(0x4eead809af5b0cc3), UINT64CONST(0xe809acafa23864a4),
	UINT64CONST(0x4da1edaba1d0f7bd), UINT64CONST(0x846eb9673349f8e4),
	UINT64CONST(0x87bae55b86039fe8), UINT64CONST(0x7f367b8bd953eff2),
	UINT64CONST(0x3884700f650d04e1), UINT64CONST(0xbfe4b2ab46980cad),
	UINT64CONST(0xc5fc89075299106c), UINT64CONST(0x37b2fa361adea7cd),
	UINT64CONST(0x7d75d813f04895b4), UINT64CONST(0x702f5b393f62c0e0),
	UINT64CONST(0x0a3fc775f4ecf37f), UINT64CONST(0xe4b23787a352437f),
	UINT64CONST(0xf83fa245c34d6363), UINT64CONST(0xb99bcf040786cf50),
	UINT64CONST(0x38b6ea0a0e6c9d8a), UINT64CONST(0x093fdc76776e37e1),
	UINT64CONST(0x1a75e6f76ba7eee8), UINT64CONST(0x442cdcfee9660c62),
	UINT64CONST(0x22d58d35116b5e0b), UINT64CONST(0x87d4a5180f6a3645),
	UINT64CONST(0x589fb216bd82131b), UINT64CONST(0x91d031cad319aec0),
	UINT64CONST(0xabecf76a553d320b), UINT64CONST(0xb8686cb347612dcf),
	UINT64CONST(0xfcab66337c0a77f5), UINT64CONST(0xac318214381ec437),
	UINT64CONST(0x6eb7f0fca24494ae), UINT64CONST(0xcf42861dcdc895a9),
	UINT64CONST(0x4abad7a1586d7a91), UINT64CONST(0xc21b318dc2f49745),
	UINT64CONST(0xd49474dc2acbd1f0), UINT64CONST(0xb1d4873747c1c8e1),
	UINT64CONST(0x5434dc8c7d015bf6), UINT64CONST(0xe1c486287511b6a9),
	UINT64CONST(0xa8616df62e89a193), UINT64CONST(0x31ce6319498d8347),
	UINT64CONST(0xafd0b486123d6faa), UINT64CONST(0xe6495f5d102301eb),
	UINT64CONST(0x0dc51ced17a43c52), UINT64CONST(0x8bcbcde81355ef2d),
	UINT64CONST(0x2412af73fdee7cfc), UINT64CONST(0xc8d589e486e29eed),
	UINT64CONST(0x23390e8664517f89), UINT64CONST(0x251ade58e8a6849d),
	UINT64CONST(0xf8555dbd2e8f9cb0), UINT64CONST(0xcb417c3eef54f7c3),
	UINT64CONST(0x8028f8e1aac3a919), UINT64CONST(0x10e31052acf748a0),
	UINT64CONST(0x2d886c073b1e1b78), UINT64CONST(0x972974d90df9faee),
	UINT64CONST(0xbc1b7b38796893ba), UINT64CONST(0x1958ed432070e652),
	UINT64CONST(0xca5f297197a12dcc), UINT64CONST(0xe025a27375704f28),
	UINT64CONST(0x418010a570a924fb), UINT64CONST(0x9828e2941bfc419c),
	UINT64CONST(0x4fbacd2f52b85c1f), UINT64CONST(0x33dd5b756211cc67),
	UINT64CONST(0x23c8dfdd1db57ff0), UINT64CONST(0x32f81801a1a8e901),
	UINT64CONST(0x26884eac5ada36da), UINT64CONST(0xcaa82f9bb42e37d4),
	UINT64CONST(0x19fb1a7491d6a7d1), UINT64CONST(0x5aa0243aa357f38e),
	UINT64CONST(0xb31d917809e447f0), UINT64CONST(0x3f9c197225215be0),
	UINT64CONST(0xdc3c315a1e33c095), UINT64CONST(0x3dd399ad533e80ac),
	UINT64CONST(0x566f32cce8301d95), UINT64CONST(0xc880188083d9ba21),
	UINT64CONST(0xb9cc357f3b0e7d2e), UINT64CONST(0x0237d2123a8a8d6c),
	UINT64CONST(0xbf636e9aa7cbf6bd), UINT64CONST(0xd7bd4284c4e2a6a7),
	UINT64CONST(0xda2ebb47d50577a9), UINT64CONST(0x90ba1c11b539087d),
	UINT64CONST(0x44993d31552b4f57), UINT64CONST(0x32c2d6f80a8a8898),
	UINT64CONST(0x450583ed7fb54b19), UINT64CONST(0xec2b0b09e50ef3ef),
	UINT64CONST(0xd918a0b6e2efd65c), UINT64CONST(0xe37a868d9785f572),
	UINT64CONST(0x7d1a6118f2b0f37a), UINT64CONST(0x9e2e3cc13b343439),
	UINT64CONST(0xefd82c11212e37e8), UINT64CONST(0xaf89c05cd4fc75ed),
	UINT64CONST(0x55bc16bb9697108e), UINT64CONST(0x6c4701fa5db69bee),
	UINT64CONST(0x9237338441daf445), UINT64CONST(0x248cf0831e81a5fc),
	UINT64CONST(0xacc13557e77de273), UINT64CONST(0x520970c25e06513a),
	UINT64CONST(0x657329cb02987cab), UINT64CONST(0xa9b0b3366a4e55a8),
	UINT64CONST(0xc4d06ca2f39acdd4), UINT64CONST(0x5dce37d68170cde1),
	UINT64CONST(0x5f1e44e77e1854c9), UINT64CONST(0x6883d452d55df899),
	UINT64CONST(0x05c5bd62f1067032), UINT64CONST(0xe680b683ce60fab0),
	UINT64CONST(0x5dc9da3f286d18b1), UINT64CONST(0x94b4bf3ab85ed6d8),
	UINT64CONST(0xce65f449e3acc5a3), UINT64CONST(0x34b0209642cea639),
	UINT64CONST(0xc14c3c771d904827), UINT64CONST(0x6addcee2bd9cdee5),
	UINT64CONST(0xe24eed137ffbb613), UINT64CONST(0x75dd58ef79963d1b),
	UINT64CONST(0xfdb83ecf6cc24920), UINT64CONST(0x7a1d0057c57169fb),
	UINT64CONST(0x339200f4feb62d07), UINT64CONST(0xd33f4d4ac88469f4),
	UINT64CONST(0x8226f234e68dfee4), UINT64CONST(0x320def4f2a105536),
	UINT64CONST(0x7786f3b13aefc159), UINT64CONST(0xb28225ac9df63ee2),
	UINT64CONST(0x781b9d0376cc6044), UINT64CONST(0x05bd0115226c6ab6),
	UINT64CONST(0xd302230207bdfdab), UINT64CONST(0xdb898abd8e0d2933),
	UINT64CONST(0x9e79a397ba00b9cc), UINT64CONST(0x89df84a5f0003ee8),
	UINT64CONST(0x011f04f2a75fb9be), UINT64CONST(0x5a5832bb47bcf19e)
};

/* MR_CHUNK_AVERAGE is a power of two. */
static const int log2_average = __builtin_ctz(MR_CHUNK_AVERAGE);

static const uint8 *scan_bytes(uint64 *hash, const uint8 *next,
							   const uint8 *end, uint64 mask, bool *cut);

/*
 * Begin a chunk.
 */
void
mr_chunker_reset(MrChunker *chunker)
{
	chunker->hash = 0;
	chunker->len = 0;
}

/*
 * Look at the next bytes of the stream.  Returns how many of them (at least
 * one) belong to the present chunk; cut tells whether it ends with them, and
 * the next one begins.
 */
Size
mr_chunker_next(MrChunker *chunker, const char *data, Size len, bool *cut)
{
	const uint8 *begin = (const uint8 *) data;
	const uint8 *next = begin;
	const uint8 *end = begin + Min(len, MR_CHUNK_MAX - chunker->len);
	uint64		hash = chunker->hash;

	*cut = false;

	/* no cut before the minimum: only fill the hash */
	if (chunker->len < MR_CHUNK_MIN)
	{
		const uint8 *stop = begin + Min(end - begin,
										MR_CHUNK_MIN - chunker->len);

		if (chunker->len < MR_CHUNK_MIN - WINDOW)
			next += Min(stop - next,
						MR_CHUNK_MIN - WINDOW - chunker->len);
		for (; next < stop; next++)
			hash = (hash << 1) + gear[*next];
	}

	if (next < end && chunker->len + (next - begin) < MR_CHUNK_AVERAGE)
	{
		const uint8 *stop = begin + Min(end - begin,
										MR_CHUNK_AVERAGE - chunker->len);

		next = scan_bytes(&hash, next, stop, STRICT_MASK, cut);
	}
	if (!*cut && next < end)
		next = scan_bytes(&hash, next, end, LOOSE_MASK, cut);

	chunker->len += next - begin;
	chunker->hash = hash;
	if (chunker->len == MR_CHUNK_MAX)
		*cut = true;
	if (*cut)
		mr_chunker_reset(chunker);
	return next - begin;
}

/*
 * Move the hash on, up to the end, or just behind a byte where it has none of
 * the bits of the mask.
 */
static const uint8 *
scan_bytes(uint64 *hash, const uint8 *next, const uint8 *end, uint64 mask,
		   bool *cut)
{
	uint64		h = *hash;

	/*
	 * Four at a time: what they add to the hash is put together apart, so
	 * that each four wait for one shift and one addition instead of four.
	 */
	while (end - next >= 4)
	{
		uint64		g1 = gear[next[0]];
		uint64		g2 = (g1 << 1) + gear[next[1]];
		uint64		g3 = (g2 << 1) + gear[next[2]];
		uint64		g4 = (g3 << 1) + gear[next[3]];
		uint64		h1 = (h << 1) + g1;
		uint64		h2 = (h << 2) + g2;
		uint64		h3 = (h << 3) + g3;
		uint64		h4 = (h << 4) + g4;

		if (unlikely((h1 & mask) == 0 || (h2 & mask) == 0 ||
					 (h3 & mask) == 0 || (h4 & mask) == 0))
			break;
		h = h4;
		next += 4;
	}

	/* the cut, if there is one, is among the next four */
	for (; next < end; next++)
	{
		h = (h << 1) + gear[*next];
		if ((h & mask) == 0)
		{
			*hash = h;
			*cut = true;
			return next + 1;
		}
	}
	*hash = h;
	return next;
}
