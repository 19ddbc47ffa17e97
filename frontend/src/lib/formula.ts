/** Formulas out of the operators' docstrings (plain Unicode), as LaTeX for KaTeX. */

/** "Y = exp(X) / Σ exp(X)": a name, perhaps with indices, and what it equals; no prose in it. */
const FORMULA = /^[A-Za-z]\w*(\[[^\]]*\])?(\(\w+\))? = \S/;
const PROSE = /\b[a-z]{3,} [a-z]{2,} [a-z]{2,}|\b(the|where|that|which|each|with)\b/;

export function formulas(doc: string): string[] {
  const found: string[] = [];
  for (const paragraph of doc.split(/\n\s*\n/)) {
    const text = paragraph.replace(/\s+/g, " ").trim();
    for (const sentence of text.split(/\.\s(?=[A-Z])|\.$|; |: (?=[A-Z]\b)/)) {
      // What follows a comma in words explains the formula.
      const formula = sentence.split(/, (?=[a-zA-Z]+ (?!=)[a-zA-Z])/)[0]!.trim();
      if (FORMULA.test(formula) && !PROSE.test(formula)) found.push(formula);
    }
  }
  return found.slice(0, 6);
}

const SIGNS: Record<string, string> = {
  "·": "\\cdot ",
  "×": "\\times ",
  "≤": "\\le ",
  "≥": "\\ge ",
  "≠": "\\ne ",
  "∞": "\\infty ",
  "∈": "\\in ",
  "→": "\\to ",
  "−": "-",
  "⌊": "\\lfloor ",
  "⌋": "\\rfloor ",
  "⌈": "\\lceil ",
  "⌉": "\\rceil ",
  "∏": "\\prod ",
  "²": "^{2}",
  "³": "^{3}",
  "⁻¹": "^{-1}",
  ᵀ: "^{\\mathsf T}",
  "₀": "_{0}",
  "₁": "_{1}",
  "₂": "_{2}",
  ₜ: "_{t}",
  "%": "\\%",
  "&": "\\&",
  "#": "\\#",
  "{": "\\{",
  "}": "\\}",
};
const GREEK: Record<string, string> = {
  α: "\\alpha ",
  β: "\\beta ",
  γ: "\\gamma ",
  λ: "\\lambda ",
  ε: "\\varepsilon ",
  δ: "\\delta ",
  θ: "\\theta ",
  μ: "\\mu ",
  π: "\\pi ",
  σ: "\\sigma ",
  φ: "\\varphi ",
  Φ: "\\Phi ",
};
const NAMED = new Set(["exp", "log", "sin", "cos", "tan", "max", "min", "tanh", "sinh", "cosh"]);

export function latex(formula: string): string {
  return new Writer(formula).write();
}

class Writer {
  private at = 0;
  constructor(private readonly text: string) {}

  write(until = ""): string {
    let out = "";
    while (this.at < this.text.length) {
      const c = this.text[this.at]!;
      if (until && c === until) {
        this.at += 1;
        return out;
      }
      out += this.next(c);
    }
    return out;
  }

  private next(c: string): string {
    const word = /^[A-Za-z]\w*/.exec(this.text.slice(this.at))?.[0];
    if (word) return this.word(word);
    this.at += 1;
    if (c === "Σ") return `\\sum${this.under()} `;
    if (c === "√") return `\\sqrt{${this.argument()}}`;
    if (c === "^") return `^{${this.argument()}}`;
    if (c === "|") return "|";
    return SIGNS[c] ?? GREEK[c] ?? c;
  }

  private word(word: string): string {
    this.at += word.length;
    const [base, ...rest] = word.split("_");
    const name = (part: string): string =>
      part.length === 1 ? part : NAMED.has(part) ? `\\${part} ` : `\\mathrm{${part}}`;
    let out = name(base!);
    if (rest.length) out += `_{${rest.map(name).join("\\,")}}`;
    if (this.text[this.at] === "[") {
      this.at += 1;
      const index = this.write("]");
      out = rest.length ? `${out}[${index}]` : `${out}_{${index}}`;
    }
    return out;
  }

  /** "_c,u,v" after a sum. */
  private under(): string {
    const found = /^_([A-Za-z](?:,[A-Za-z])*)(?=\s|$)/.exec(this.text.slice(this.at));
    if (!found) return "";
    this.at += found[0].length;
    return `_{${found[1]}}`;
  }

  /** What a root or power reaches over: brackets, or one word or number. */
  private argument(): string {
    if (this.text[this.at] === "(") {
      this.at += 1;
      return this.write(")");
    }
    const found = /^-?[\w.]+/.exec(this.text.slice(this.at))?.[0] ?? this.text[this.at] ?? "";
    this.at += found.length;
    return found;
  }
}
