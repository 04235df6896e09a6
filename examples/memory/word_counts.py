import sys
import string

strip_table = str.maketrans("", "", string.punctuation)

# read the text
lines = []
with open(sys.argv[1], encoding="utf-8") as f:
    for line in f:
        lines.append(line.lower().translate(strip_table).split())

# count
counts = {}
for words in lines:
    for word in words:
        counts[word] = counts.get(word, 0) + 1

longest = 0
for words in lines:
    if len(words) > longest:
        longest = len(words)

# write
with open("word_counts.txt", "w", encoding="utf-8") as f:
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        f.write(word + "\t" + str(count) + "\n")

print("lines", len(lines), "different words", len(counts), "words in the longest line", longest)
