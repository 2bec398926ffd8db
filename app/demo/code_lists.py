"""The code lists a new community starts with: ways to knock, tags, needs, uses and relations.

They are data from the first day: a secretary adds to them, and an app that meets a code it does not
know keeps it. A code never changes its meaning; a new meaning is a new code.
"""

Entry = tuple[str, str, str]
"""Code, Chinese name, English name."""

NAMED_METHODS: tuple[tuple[str, str], ...] = (
    ("真情感化", "Move by sincerity"),
    ("见缝插针", "Use every gap"),
    ("巧借机遇", "Seize the occasion"),
    ("以帮促进", "Help first, and be let in"),
)
"""Only four of the eighteen ways are named in public reports; a community fills the other slots itself."""


def methods() -> tuple[Entry, ...]:
    """敲门十八法: eighteen slots, of which the community still has to name fourteen."""
    to_be_named = [(f"方法{n:02d}（待填）", f"Method {n:02d} (to be named)") for n in range(5, 19)]
    names = [*NAMED_METHODS, *to_be_named]
    return tuple((f"method_{n:02d}", zh, en) for n, (zh, en) in enumerate(names, start=1))


TAGS: tuple[Entry, ...] = (
    ("living_alone", "独居", "Living alone"),
    ("empty_nest", "空巢", "Empty nest"),
    ("ill", "重病", "Seriously ill"),
    ("disabled", "残疾", "Disabled"),
    ("mentally_ill", "精神障碍", "Mentally ill"),
    ("low_income", "低收入", "Under 1,000 yuan a month"),
    ("aged_60", "六十岁以上", "Aged 60 or over"),
    ("aged_80", "八十岁以上", "Aged 80 or over"),
    ("left_behind_child", "留守儿童", "Child left behind"),
    ("pregnant", "孕产妇", "Pregnant or newly delivered"),
    ("veteran", "退役军人", "Veteran"),
    ("party_member", "党员", "Party member"),
    ("volunteer", "志愿者", "Volunteer"),
    ("long_term_let", "长租", "Let for long"),
    ("short_let", "短租", "Let for short"),
    ("key_care", "重点关爱", "Needs particular care"),
)

NEEDS: tuple[Entry, ...] = (
    ("repair_leak", "漏水维修", "Leak to be repaired"),
    ("repair_power", "水电维修", "Electricity or water to be repaired"),
    ("medicine", "代购药品", "Medicine to be fetched"),
    ("escort", "陪诊", "Company to the doctor"),
    ("meal", "送餐", "Meal brought"),
    ("talk", "谈心", "Someone to talk to"),
    ("dispute", "调解", "Quarrel to be settled"),
    ("job", "就业", "Work"),
    ("paperwork", "代办手续", "Paperwork"),
    ("childcare", "托管照看", "Child to be looked after"),
    ("safety", "安全隐患", "Danger to be removed"),
    ("other", "其他", "Other"),
)

USES: tuple[Entry, ...] = (
    ("self_occupied", "自住", "Lived in by its owner"),
    ("rented", "出租", "Rented"),
    ("vacant", "空置", "Vacant"),
    ("shop", "商用", "Shop or office"),
    ("shared", "合租", "Shared by tenants"),
)

RELATIONS: tuple[Entry, ...] = (
    ("head", "户主", "Head"),
    ("spouse", "配偶", "Spouse"),
    ("child", "子女", "Child"),
    ("parent", "父母", "Parent"),
    ("grandchild", "孙辈", "Grandchild"),
    ("sibling", "兄弟姐妹", "Brother or sister"),
    ("tenant", "租客", "Tenant"),
    ("other", "其他", "Other"),
)

COLOURS: tuple[Entry, ...] = (
    ("key_care", "红", "Red"),
    ("living_alone", "橙", "Orange"),
    ("empty_nest", "黄", "Yellow"),
    ("self_occupied", "绿", "Green"),
    ("long_term_let", "青", "Cyan"),
    ("short_let", "蓝", "Blue"),
    ("disabled", "紫", "Purple"),
)
"""七色信息牌: the colour of a use or a tag. Public reports name four of the seven (let for long, let for short, empty
nest, disabled) and no colour: which is which is the operator's to say.
"""

SOURCES: tuple[Entry, ...] = (
    ("told", "本人或家属告知", "Told by themselves or their family"),
    ("paper", "证件或证明", "Seen on a paper"),
    ("department", "部门共享", "From a department's register"),
    ("seen", "走访发现", "Seen at the door"),
)

BASES: tuple[Entry, ...] = (
    ("consent", "本人同意", "Their consent"),
    ("statutory_duty", "法定职责", "A duty under law"),
    ("emergency", "突发事件应对", "An emergency"),
    ("published", "本人已公开", "They made it public"),
)
"""Why something may be kept: grounds of article 13 of the Personal Information Protection Law 个人信息保护法."""

CARE: tuple[Entry, ...] = (
    ("elderly", "老年人", "Elderly"),
    ("special_family", "特殊家庭", "A family that lost its only child, or the like"),
    ("isolation", "居家隔离", "In isolation at home"),
    ("ill", "病后随访", "After an illness"),
    ("other", "其他", "Other"),
)

CAMPAIGNS: tuple[Entry, ...] = (
    ("sweep", "拉网式大排查", "House-to-house sweep"),
    ("vaccination", "疫苗接种摸排", "Who is to be vaccinated"),
    ("safety", "消防安全检查", "Fire safety"),
)

FOLLOW_UPS: tuple[Entry, ...] = (
    ("medicine_buyer", "购药人员", "Bought medicine for a fever"),
    ("escorted", "护送就医", "Escorted to hospital"),
    ("returner", "返汉人员", "Came back to Wuhan"),
    ("returner_abroad", "境外返回", "Came back from abroad"),
    ("four_kinds", "四类人员", "Of the four kinds to be isolated"),
    ("other", "其他", "Other"),
)
"""What the winter of 2020 asked to be followed up."""

CLOSED: tuple[Entry, ...] = (
    ("done", "已办结", "Done"),
    ("recovered", "已康复", "Recovered"),
    ("moved", "已搬离", "Moved away"),
    ("handed_on", "已转交", "Handed on"),
    ("declined", "本人谢绝", "They declined"),
    ("mistaken", "登记有误", "Written down by mistake"),
)
"""Why a follow-up, or a care plan, has ended."""

DELIVERIES: tuple[Entry, ...] = (
    ("supplies", "生活物资", "Groceries"),
    ("medicine", "药品", "Medicine"),
    ("condolence", "慰问品", "A gift of condolence"),
)

TIMES: tuple[Entry, ...] = (
    ("weekday", "工作日白天", "Working days"),
    ("evening", "晚上", "Evenings"),
    ("weekend", "周末", "Weekends"),
)

SKILLS: tuple[Entry, ...] = (
    ("plumbing", "水电维修", "Plumbing and wiring"),
    ("medical", "医护", "Nursing"),
    ("driving", "驾驶", "Driving"),
    ("teaching", "辅导", "Teaching"),
    ("talk", "陪聊", "Company"),
)

SPONSORSHIPS: tuple[Entry, ...] = (
    ("party_member", "党员结对", "A party member's"),
    ("branch", "支部包楼", "A branch's, of a building"),
    ("neighbour", "邻里互助", "A neighbour's"),
)

LISTS: dict[str, tuple[Entry, ...]] = {
    "method": methods(),
    "tag": TAGS,
    "need": NEEDS,
    "use": USES,
    "relation": RELATIONS,
    "colour": COLOURS,
    "source": SOURCES,
    "basis": BASES,
    "care": CARE,
    "campaign": CAMPAIGNS,
    "follow_up": FOLLOW_UPS,
    "closed": CLOSED,
    "delivery": DELIVERIES,
    "time": TIMES,
    "skill": SKILLS,
    "sponsorship": SPONSORSHIPS,
}
