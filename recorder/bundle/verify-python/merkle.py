"""The Merkle tree of RFC 6962, section 2.1, with SHA-256."""

import hashlib


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def leaf_hash(*parts):
    return sha256(b"\0", *parts)


def node_hash(left, right):
    return sha256(b"\1", left, right)


class Tree:
    """Root over leaves given one by one; holds one hash for each bit of their number."""

    def __init__(self):
        self._stack = []  # (height, hash), heights falling
        self.size = 0

    @classmethod
    def behind(cls, size, roots):
        """One that goes on behind `size` leaves, whose complete subtrees have these roots, the largest first; None where they are not as many."""
        heights = [height for height in range(size.bit_length() - 1, -1, -1) if size >> height & 1]
        if len(heights) != len(roots) or any(len(root) != 32 for root in roots):
            return None
        tree = cls()
        tree._stack, tree.size = list(zip(heights, roots)), size
        return tree

    def add(self, leaf):
        height = 0
        while self._stack and self._stack[-1][0] == height:
            leaf = node_hash(self._stack.pop()[1], leaf)
            height += 1
        self._stack.append((height, leaf))
        self.size += 1

    def root(self):
        if not self._stack:
            return sha256()
        root = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            root = node_hash(left, root)
        return root


def root_of_path(index, size, leaf, path):
    """The root that an inclusion path leads to (RFC 9162, 2.1.3.2); None where it cannot be one."""
    if index >= size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None
