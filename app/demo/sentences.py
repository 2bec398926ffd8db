"""What workers write after a knock: notes put together from phrases, so that thousands of them differ.

Variety is the point: how well a feed compresses, and how a search behaves, can be measured only on notes
that do not repeat each other. A theme holds sentences with gaps, and a gap is filled from its phrases.
"""

import re

from app.demo.people import Dice

THEMES: dict[str, tuple[str, ...]] = {
    "leak": (
        "{when}{room}{leaks}，{fixer}看过一次，{repair}",
        "{neighbour}说{room}{leaks}，怀疑是我们这户的管子，{repair}",
        "{room}{leaks}，{when}更明显，{repair}",
    ),
    "quarrel": (
        "因为{trouble}和{neighbour}红过脸，{outcome}",
        "{when}{neighbour}来反映{trouble}，{outcome}",
        "和{neighbour}为{trouble}又争了几句，{calmer}，{outcome}",
    ),
    "medicine": (
        "{drug}快吃完了，{fetch}",
        "{when}{ailment}，{drug}{dose}，{fetch}",
        "在{clinic}新开了{drug}，{dose}",
        "{ailment}，去{clinic}要人陪，{escort}",
    ),
    "children_away": (
        "{child}在{city}，{contact}，{wish}",
        "{child}{when}从{city}回来住了{days}天，{mood}",
        "{child}想接去{city}住，老人{unwilling}，{wish}",
    ),
    "talk": (
        "爱聊{topic}，坐下来就是半个钟头，{mood}",
        "{when}话少，聊起{topic}才有了笑脸，{wish}",
        "今天{mood}，说起{topic}，{parting}",
    ),
    "meals": (
        "{meal}，{taste}",
        "原先自己做饭，后来{ailment}，{meal}，{taste}",
        "{when}没胃口，{meal}，{parting}",
    ),
    "safety": (
        "{hazard}，{when}提醒过，{repair}",
        "帮忙看了{device}，{finding}，{parting}",
    ),
    "school": (
        "孩子{grade}，{afternoon}，{wish_child}",
        "{when}孩子{school_event}，家长{reaction}",
        "孩子{grade}，{school_event}，{afternoon}",
    ),
    "letting": (
        "租约到{month}，{lease}，{landlord}",
        "{when}搬来的，在{job_place}上班，{shift}",
        "在{job_place}{job}，{shift}，{lease}",
    ),
    "work": (
        "在{job_place}{job}，{shift}，敲门要挑时候",
        "{when}想换工作，以前在{job_place}{job}，{help_job}",
    ),
    "vacancy": (
        "业主在{city}，{key}，{when}看过门窗完好",
        "空置{months}，{key}，{vacant_trace}",
        "{neighbour}说业主{when}回来过一次，{vacant_trace}",
    ),
    "shop": (
        "开{trade}，{shop_hours}，{finding}",
        "{when}改成{trade}，{neighbour}有意见，{outcome}",
    ),
    "aid": (
        "{paper}{paper_state}，{help_paper}",
        "{when}来问{paper}，{help_paper}",
        "{aid_device}{device_state}，{help_paper}",
    ),
    "company": (
        "{when}情绪{steady}，{family_care}，{approach}",
        "按时到{clinic}复诊，{family_care}，{approach}",
    ),
    "service": (
        "愿意{service}，{free_time}都行",
        "{when}参加了{service}，{mood}",
    ),
}

GAPS: dict[str, str] = {
    "when": "上周 入梅以后 立秋前后 国庆前后 开春以来 月初 前几天夜里 年前 连下三天雨以后 昨天傍晚 降温时",
    "room": "卫生间 厨房 阳台 主卧窗边 客厅吊顶 水表井旁 次卧墙角 入户门上方",
    "leaks": "渗水 滴水 墙皮鼓包 返潮 漏到插座边 起了霉斑",
    "fixer": "物业水电工 维修师傅 楼栋长 房管员 懂行的邻居",
    "repair": "约好周末再来 等配件 已经修好还要回访 要先和楼上商量 报了维修单 下雨天再看一次 这星期给回话",
    "neighbour": "对门 楼上 楼下 隔壁 同层东头那户 楼下门面",
    "trouble": "装修噪声 楼道堆纸箱 空调滴水 夜里拖椅子 狗叫 电动车占过道 晒被子滴水 公摊电费 油烟 孩子练琴",
    "outcome": "已当面说开 约好周末坐下来谈 楼栋长在中间带话 双方各让一步 暂时压下了还要再看 想请调解室出面",
    "calmer": "劝了一会儿 两边都分别听过 气消了一半 老邻居帮着劝",
    "drug": "降压药 降糖药 胰岛素 护心的药 助眠药 治痛风的药 眼药水 抗凝药 钙片",
    "dose": "早晚各一次 常常忘记吃 饭后吃 用小药盒分好了 自己减过量，已劝回来 由家里人盯着",
    "fetch": "托我们下次带 请药房送上门 自己还能去取 家里人周末送来 已登记代购 想问能不能多开些日子的",
    "ailment": "膝盖疼 腰不好 耳朵背 眼睛花 走路要扶墙 夜里睡不踏实 阴天胸闷 手抖 咳嗽",
    "clinic": "社区卫生服务站 区医院 街口药房 康复科 眼科门诊 心内科",
    "escort": "约了下周二 约了周四上午 先问志愿者 家里人请不到假 要借轮椅",
    "child": "儿子 女儿 大女儿 小儿子 外孙女 侄子",
    "city": "深圳 广州 上海 加拿大 澳大利亚 新加坡 德国 杭州 苏州 海南 襄阳 成都",
    "contact": "每周日晚上视频 逢年过节才回来 两三天一个电话 时差大，早上才通话 最近电话少了 按月寄钱回来",
    "wish": "盼着有人常来坐坐 嘱咐我们有事先打电话 想学会用手机视频 不愿给人添麻烦 留了备用钥匙在邻居家",
    "unwilling": "舍不得老街坊 怕住不惯 还在犹豫 不肯 说等开春再说",
    "days": "三 五 七 十 十二",
    "mood": "精神不错 心情好多了 有点闷 看着瘦了些 很高兴 话比平时多",
    "topic": "年轻时在厂里的事 孙子的成绩 老家的田 广场舞 菜场的价钱 钓鱼 养的兰草 汉剧 修大桥 过早的面馆",
    "parting": "临走送到电梯口 约好下周再来 留了联系卡 硬要塞橘子，没有收 答应有事就打电话",
    "meal": "中午吃社区食堂 一顿饭吃两天 邻居常端碗汤来 送餐到门口 早上只喝稀饭 晚饭常凑合",
    "taste": "嫌菜咸 想要软一点 饭量小了 说热菜比什么都强 要少油少糖 不吃辣",
    "hazard": "灶台软管老化 插线板挨着床 阳台堆满纸壳 电动车电池拿上楼 烟道没封 门锁不灵",
    "device": "煤气表 烟感 热水器 漏电开关 灭火器 窗户护栏",
    "finding": "没有问题 要换电池 已经过期 接头松了，当场拧紧 下次带工具来",
    "grade": "上幼儿园 读一年级 读三年级 小升初 读初二 备考高中 还没上学",
    "afternoon": "放学没人接 下午在托管班 奶奶来接 一个人在家写作业 在楼下图书角待着",
    "wish_child": "想问暑期托管 想找人辅导数学 问附近有没有球场 想参加画画班 问转学手续",
    "school_event": "发烧请了假 得了奖状 转了学 配了眼镜 打了疫苗 期中考得不错",
    "reaction": "很高兴 有些着急 两口子轮流请假 托我们打听 说谢谢惦记",
    "month": "下个月 年底 明年三月 明年六月 暑假 春节前",
    "lease": "打算续租 准备搬走 押金还没谈拢 想换大一点的 已续一年",
    "landlord": "房东住洪山 房东在外地 中介代管 房东是楼上老邻居 联系不上房东",
    "job_place": "钢厂 物流园 地铁工地 商场 医院食堂 光谷 火车站 学校 快递点 菜场",
    "job": "开叉车 当保安 做会计 跑配送 修机器 站柜台 打零工 做护工",
    "shift": "三班倒 白天睡觉 晚上八点后在家 周末才在 早出晚归 最近居家",
    "help_job": "把招聘单发过去了 想学电工 愿意去家政培训 等招聘会通知 先登记意向",
    "key": "钥匙在邻居家 钥匙在中介 没人有钥匙 委托亲戚照看 留了物业电话",
    "months": "三个月 半年 快一年 两年多 从没住过人",
    "vacant_trace": "门上贴着缴费单 水表没走 门把手有灰 信箱塞满广告 阳台花还有人浇",
    "trade": "裁缝铺 小卖部 理发店 培训班 快递代收点 推拿店 早餐店",
    "shop_hours": "早上六点开门 晚上十点关门 周一休息 中午最忙 雨天不开",
    "paper": "残疾证 低保复核 高龄津贴 医保转移 居住证 大病救助 公租房年审",
    "paper_state": "快到期 材料还差一份 已递交 照片不合格 等街道回复",
    "help_paper": "代跑一趟 下次带表来填 已约窗口 帮着拍照上传 请家里人补签字 讲清了要带的材料",
    "aid_device": "轮椅 助听器 拐杖 护理床 坐便椅 防滑垫",
    "device_state": "轮子坏了 用着还好 想换一副 没有申请过 电池不耐用 尺寸不合适",
    "steady": "平稳 有些起伏 比上月好 不大愿意见生人 愿意开门说话",
    "family_care": "家里人按时给药 父母轮流照看 姐姐常来 白天有人陪 家里人也累，想喘口气",
    "approach": "熟人一起来才好 说话要慢 不要提旧事 先打电话再敲门 只站门口聊几句",
    "service": "楼道清理 给老人读报 夜间巡逻 修小家电 教手机 量血压的摊子 搬送货物",
    "free_time": "周末 晚上 早上买菜回来 轮休那天 寒暑假",
}

PHRASES = {gap: tuple(phrases.split()) for gap, phrases in GAPS.items()}
GAP = re.compile(r"\{(\w+)\}")


def sentence(dice: Dice, theme: str) -> str:
    """One sentence with its full stop."""
    return GAP.sub(lambda gap: dice.choice(PHRASES[gap[1]]), dice.choice(THEMES[theme])) + "。"


def note(dice: Dice, themes: tuple[str, ...], longest: int) -> str:
    """One to `longest` sentences, each on a theme of its own choosing."""
    return "".join(sentence(dice, dice.choice(themes)) for _ in range(1 + dice.randrange(longest)))
