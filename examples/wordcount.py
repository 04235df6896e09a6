# Count the words of a text file.
import sys
import unicodedata

filename = sys.argv[1] if len(sys.argv) > 1 else "data/text.txt"


def clean(word):
    """Lower case, no accents, no punctuation except the apostrophe."""
    letters = []
    for c in unicodedata.normalize("NFKD", word.lower()):
        if unicodedata.category(c).startswith("L") or c == "'":
            letters.append(c)
    return "".join(letters)


counts = {}
with open(filename, encoding="utf-8") as text:
    for line in text:
        for word in line.split():
            word = clean(word)
            if not word:
                continue
            if word in counts:
                counts[word] += 1
            else:
                counts[word] = 1

ranking = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
for word, n in ranking[:20]:
    print(f"{word:<15}{n:>8}")

with open("counts.txt", "w", encoding="utf-8") as out:
    for word in sorted(counts):
        out.write(f"{word} {counts[word]}\n")
