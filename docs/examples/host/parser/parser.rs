//! A parser as a library: it knows nothing of hosts, exports one interface, and is fused into whoever depends on it.

wit_bindgen::generate!({ path: ["../../../../meldpy/host/wit", "../lang"], world: "demo:lang/parser" });

use exports::demo::lang::parse::{Guest, Kind, Token};

struct Parser;

impl Guest for Parser {
    fn parse(source: String) -> Result<Vec<Token>, String> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut depth = 0usize;
        let mut chars = source.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let token = |kind, text: &str| Token { kind, text: text.into(), at: at as u32 };
            match c {
                '(' => {
                    depth += 1;
                    tokens.push(token(Kind::Open, "("));
                }
                ')' => {
                    depth = depth.checked_sub(1).ok_or(format!("nothing is open at byte {at}"))?;
                    tokens.push(token(Kind::Close, ")"));
                }
                c if c.is_whitespace() => {}
                _ => {
                    let ends = |&&(_, c): &&(usize, char)| c.is_whitespace() || c == '(' || c == ')';
                    while chars.peek().as_ref().is_some_and(|next| !ends(next)) {
                        chars.next();
                    }
                    let end = chars.peek().map_or(source.len(), |&(end, _)| end);
                    tokens.push(token(Kind::Atom, &source[at..end]));
                }
            }
        }
        if depth > 0 { Err(format!("{depth} open at the end")) } else { Ok(tokens) }
    }
}

export!(Parser);
